"""The stand-ins for other companies' servers, asked by the platform's own clients."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import orjson
import pytest
from stir.crm_client import CrmClient, CrmEvent
from stir.search_scroll import SearchError, SearchServer

from devstack.services import ClickHouseService, PartnersService
from devstack.settings import StackSettings
from devstack.world import marker, search_documents
from devstack.world.size import SIZES, World
from schema.connections import ClickHouseAddress, connect_clickhouse

INDEX, INDIAN = "youtube_channels_api", {"match_phrase": {"snippet.country": "IN"}}
EVENT = b'{"appType":"USER","userId":"we-1","eventName":"Invited","eventTime":"1790000000000","eventData":{"n":1}}'
WORLD = World(SIZES["small"], 7, datetime(2026, 6, 15, tzinfo=UTC))


@pytest.fixture(scope="module")
def partners(stack_settings: StackSettings, clickhouse_service: ClickHouseService) -> Iterator[PartnersService]:
    with PartnersService(stack_settings) as service:
        yield service


def channels(service: PartnersService) -> list[dict]:
    with SearchServer(f"{service.address}/search") as server:
        pages = server.scroll(INDEX, INDIAN, ["id", "snippet.title"], page_size=25)
        return [document["_source"] for page in pages for document in page.documents]


@pytest.mark.unit
def test_documents_are_the_channels_of_the_world() -> None:
    documents = list(search_documents.of(WORLD))
    assert len({document["id"] for document in documents}) == len(documents) == WORLD.size.channels
    assert documents == list(search_documents.of(WORLD))
    counters = documents[0]["statistics"]
    assert (counters["subscriberCount"], counters["hiddenSubscriberCount"]) == ("30000000", False)
    assert documents[0]["last_updated"] == "2026-06-15T00:00:00.000Z"
    assert {document["snippet"]["country"] for document in documents} > {"IN"}


@pytest.mark.integration
def test_the_directory_is_that_of_the_loaded_world(
    partners: PartnersService, clickhouse_service: ClickHouseService
) -> None:
    endpoint = clickhouse_service.endpoint
    client = connect_clickhouse(ClickHouseAddress(endpoint.host, endpoint.http_port, endpoint.user, endpoint.password))
    try:
        with pytest.raises(SearchError, match="index_not_found_exception"):
            channels(partners)
        for world in (WORLD, World(SIZES["small"], 8, WORLD.as_of)):
            marker.write(client, world, marker.COMPLETE)
            expected = [
                {"id": document["id"], "snippet": {"title": document["snippet"]["title"]}}
                for document in search_documents.of(world)
                if document["snippet"]["country"] == "IN"
            ]
            assert channels(partners) == expected
    finally:
        client.command(f"DROP DATABASE IF EXISTS {marker.DATABASE} SYNC")


@pytest.mark.integration
def test_the_crm_takes_an_event_once_and_refuses_what_is_none(partners: PartnersService) -> None:
    before = len(partners.crm_events())
    with CrmClient(f"{partners.address}/crm", "/webengage/event/", first_wait=0.01) as crm:
        replies = list(crm.send_all([CrmEvent(EVENT, "key"), CrmEvent(EVENT, "key"), CrmEvent(b'{"n": 1}', "other")]))
    assert [reply.outcome for reply in replies] == ["sent", "sent", "refused"]
    (kept,) = partners.crm_events()[before:]
    assert (kept["key"], kept["event"]["userId"], kept["event"]["eventData"]) == ("key", "we-1", {"n": 1})
    assert stat.S_IMODE((partners.data / "crm_events.jsonl").stat().st_mode) == 0o600


@pytest.mark.integration
def test_events_outlive_the_server(partners: PartnersService) -> None:
    httpx.post(f"{partners.address}/crm/webengage/event/", json=orjson.loads(EVENT)).raise_for_status()
    before = partners.crm_events()
    process = partners.main.process()
    process.kill()
    process.wait(5)
    partners.start()
    partners.wait_ready()
    assert partners.crm_events() == before != []
