"""One message per row, against a real RabbitMQ and real ClickHouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pika
import pytest
from stir.message_per_row import MessageSource, run
from stir.rabbitmq_publisher import PublishError

from devstack.neighbours import NEIGHBOURS
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration
JOURNEY_SQL = Path(__file__).parents[2] / "dags" / "candidates" / "sync_missing_journey.sql"
QUEUE, KEY = "journey_q", "campaign.JOURNEY_MIGRATION_FOR_UCA_RK"

SOURCE = MessageSource(
    name="sync_missing_journey",
    exchange="campaign.dx",
    routing_key=KEY,
    candidates=JOURNEY_SQL,
    id_column="id",
    order="id",
    limit=5000,
    cool_down=timedelta(days=1),
)


@pytest.fixture
def channel(rabbitmq_service: Any, connection: Callable[..., None]) -> Iterator[Any]:
    """A channel of the local RabbitMQ, with connection `rabbitmq_connection` pointing to the same broker."""
    at = rabbitmq_service.parameters()
    connection(
        "rabbitmq_connection", host=at.host, port=at.port, login=at.credentials.username,
        password=at.credentials.password, schema=at.virtual_host,
    )  # fmt: skip
    with pika.BlockingConnection(at) as opened:
        channel = opened.channel()
        channel.exchange_declare("campaign.dx", "direct", durable=True)
        for queue in (QUEUE, *(neighbour.queue for neighbour in NEIGHBOURS)):  # each test binds what it needs
            channel.queue_delete(queue)
        yield channel
        channel.queue_delete(QUEUE)


@pytest.fixture
def applications(clickhouse: Any) -> Iterator[Any]:
    """The campaign service's two tables, empty; nothing published yet."""
    clickhouse.execute("create database if not exists campaign_replica")
    clickhouse.execute("drop table if exists stir.published_messages")
    for ddl in (
        "user_campaign_application (id Int64, active Nullable(UInt8)) engine = MergeTree order by id",
        "user_campaign_journey (uca_id Nullable(Int64)) engine = MergeTree order by tuple()",
    ):
        clickhouse.execute(f"drop table if exists campaign_replica.{ddl.split()[0]}")
        clickhouse.execute(f"create table campaign_replica.{ddl}")
    yield clickhouse
    for name in ("user_campaign_application", "user_campaign_journey"):
        clickhouse.execute(f"drop table campaign_replica.{name}")


def bind(channel: Any, **arguments: Any) -> None:
    channel.queue_declare(QUEUE, durable=True, arguments=arguments)
    channel.queue_bind(QUEUE, "campaign.dx", KEY)


def received(channel: Any) -> list[tuple[bytes, Any]]:
    messages = []
    while True:
        method, properties, body = channel.basic_get(QUEUE, auto_ack=True)
        if method is None:
            return messages
        messages.append((body, properties))


def send(ti: Any = None, **params: Any) -> dict[str, Any]:
    return run(SOURCE, params=params, run_id="manual__1", ti=ti)


def test_active_applications_without_a_journey_are_sent_oldest_first_as_bare_ids(
    channel: Any, applications: Any
) -> None:
    bind(channel)
    rows = [(30, 1), (10, 1), (20, 1), (40, 0), (50, None), (60, 1)]
    applications.execute("insert into campaign_replica.user_campaign_application values", rows)
    # A NULL in a NOT IN list would silently leave everything out.
    applications.execute("insert into campaign_replica.user_campaign_journey values", [(20,), (None,)])
    page = send()
    messages = received(channel)
    assert [body for body, _ in messages] == [b"10", b"30", b"60"]
    assert page == {"candidates": 3, "published": 3, "dry_run": False, "note": ""}
    properties = messages[0][1]
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"
    assert properties.message_id == "sync_missing_journey:10:manual__1"


def test_an_id_is_not_sent_again_within_the_cool_down_and_newer_ones_get_their_turn(
    channel: Any, applications: Any
) -> None:
    bind(channel)
    applications.execute("insert into campaign_replica.user_campaign_application values", [(n, 1) for n in range(1, 6)])
    assert send(limit=2)["published"] == 2
    assert send(limit=2)["published"] == 2
    assert send(limit=2)["published"] == 1
    assert [body for body, _ in received(channel)] == [b"1", b"2", b"3", b"4", b"5"]
    assert send()["note"] == "nothing to do: no row without a recent message"
    applications.execute("create table stir.aged as stir.published_messages")
    aged = "select * replace (published_at - interval 25 hour as published_at) from stir.published_messages"
    applications.execute(f"insert into stir.aged {aged}")
    applications.execute("exchange tables stir.aged and stir.published_messages")
    applications.execute("drop table stir.aged")
    assert send()["published"] == 5


def test_an_unroutable_message_is_an_error_and_is_not_recorded_as_sent(channel: Any, applications: Any) -> None:
    applications.execute("insert into campaign_replica.user_campaign_application values", [(1, 1)])
    with pytest.raises(PublishError, match=f"no queue is bound to exchange campaign.dx with routing key {KEY}"):
        send()
    assert applications.execute("select count() from stir.published_messages") == [(0,)]


def test_what_was_confirmed_before_a_rejection_is_recorded_and_not_repeated(
    channel: Any, applications: Any, left: Any
) -> None:
    bind(channel, **{"x-max-length": 2, "x-overflow": "reject-publish"})
    applications.execute("insert into campaign_replica.user_campaign_application values", [(n, 1) for n in range(1, 9)])
    with pytest.raises(PublishError, match="rejected a message"):
        send(ti=left)
    sent = [int(body) for body, _ in received(channel)]
    recorded = [int(row[0]) for row in applications.execute("select id from stir.published_messages order by id")]
    assert recorded == sent
    assert left.page == {"candidates": 8, "published": len(sent), "dry_run": False, "note": ""}
    assert 0 < len(sent) < 8
    channel.queue_delete(QUEUE)
    bind(channel)
    assert send()["published"] == 8 - len(sent)
    assert sorted([*sent, *(int(body) for body, _ in received(channel))]) == list(range(1, 9))


def test_a_dry_run_publishes_and_records_nothing(channel: Any, applications: Any) -> None:
    bind(channel)
    applications.execute("insert into campaign_replica.user_campaign_application values", [(1, 1)])
    assert send(dry_run=True)["note"] == "dry run: nothing published"
    assert received(channel) == []
    assert send()["published"] == 1


def test_a_broker_that_is_away_is_one_clear_error(
    applications: Any, connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    applications.execute("insert into campaign_replica.user_campaign_application values", [(1, 1)])
    connection("rabbitmq_connection", host="127.0.0.1", port=9, login="stir", password="x", schema="/")
    monkeypatch.setattr("stir.rabbitmq_publisher.CONNECT_TRIES", 2)
    with pytest.raises(PublishError, match=r"RabbitMQ at 127.0.0.1:9 .* cannot be used"):
        send()


def test_a_warehouse_that_is_away_is_one_clear_error_and_nothing_is_sent(
    channel: Any, connection: Callable[..., None]
) -> None:
    bind(channel)
    connection("clickhouse_gcc", host="127.0.0.1", port=9, login="stir", password="x")
    with pytest.raises(Exception, match=r"ClickHouse at 127.0.0.1:9 .* does not answer"):
        send()
    assert received(channel) == []


def test_a_broker_that_is_lost_in_mid_run_leaves_what_it_confirmed_recorded_and_the_retry_sends_the_rest(
    channel: Any, applications: Any, rabbitmq_service: Any, connection: Callable[..., None]
) -> None:
    bind(channel)
    applications.execute("insert into campaign_replica.user_campaign_application values", [(n, 1) for n in range(1, 9)])
    at = rabbitmq_service.parameters()
    login = {"login": at.credentials.username, "password": at.credentials.password, "schema": at.virtual_host}
    with TcpProxy(at.port) as proxy:
        connection("rabbitmq_connection", host="127.0.0.1", port=proxy.port, **login)
        # The fifth message arrives and is confirmed, but the confirmation never comes back.
        proxy.hold_when(b":5:manual__1", "reply")
        cutting = Thread(target=cut_when_it_holds, args=(proxy,))
        cutting.start()
        with pytest.raises(PublishError, match="the connection to RabbitMQ broke while publishing"):
            send()
        cutting.join()
    assert applications.execute("select id from stir.published_messages order by id") == [
        (str(n),) for n in range(1, 5)
    ]
    connection("rabbitmq_connection", host=at.host, port=at.port, **login)
    assert send()["published"] == 4
    # Nothing is lost. The one whose fate was unknown comes twice, with one message id per run.
    assert [int(body) for body, _ in received(channel)] == [1, 2, 3, 4, 5, 5, 6, 7, 8]


def cut_when_it_holds(proxy: TcpProxy) -> None:
    until = time.monotonic() + 30
    while not proxy.bytes_held["reply"] and time.monotonic() < until:
        time.sleep(0.02)
    proxy.drop_held()


def test_a_query_without_the_declared_column_is_named_before_anything_is_sent(
    channel: Any, applications: Any, tmp_path: Path
) -> None:
    bind(channel)
    (tmp_path / "other.sql").write_text("select number as uca_id from numbers(3)")
    with pytest.raises(Exception, match=r"other.sql: .*id"):
        run(replace(SOURCE, candidates=tmp_path / "other.sql"), params={}, run_id="manual__1")
    assert received(channel) == []
