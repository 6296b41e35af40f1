"""Events to the CRM: the candidate query on real ClickHouse, a real HTTP server for the service behind the CRM."""

from __future__ import annotations

import json
import logging
import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from misbehaving_beat import Answer, MisbehavingBeat, Received
from stir import crm_event
from stir.crm_client import CrmClient, CrmEvent, Reply
from stir.crm_event import CrmEventSource, User, run, to_send

from schema import clickhouse_sources

pytestmark = pytest.mark.integration

DAG_FILE = Path(__file__).parents[2] / "dags" / "crm.py"
USERS = "campaign_replica.user_eligible_campaigns"
CARDS = "campaign_replica.collab_challenge_slot_combined_data"
TAKEN = Answer(body={"ok": True})
ENDS = datetime(2026, 3, 31, 18, 29, 59, tzinfo=UTC)


@pytest.fixture(scope="module")
def source() -> CrmEventSource:
    return runpy.run_path(str(DAG_FILE))["recommendation"]


@pytest.fixture
def service(
    beat_server: MisbehavingBeat, connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> MisbehavingBeat:
    """The service behind connection `crm_events`."""
    connection("crm_events", host=beat_server.url)
    monkeypatch.setenv("AIRFLOW_VAR_CRM_EVENTS_PER_SECOND", "500")
    beat_server.script = lambda _: TAKEN
    return beat_server


class World:
    """Users and cards as the DAG finds them."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def user(self, number: int, ladders: list[int] = [], others: list[int] = [], **changed: Any) -> None:  # noqa: B006
        row = {"cp_id": number, "account_id": 9_000_000 + number, "webengage_user_id": f"we-{number}"}
        row |= {"reward_ladder_campaign_ids": ladders, "non_reward_ladder_campaign_ids": others, **changed}
        self.insert(USERS, row)

    def card(self, number: int, **more: Any) -> None:
        self.insert(CARDS, {"campaign_id": number, **more})

    def insert(self, table: str, row: dict[str, Any]) -> None:
        self.client.execute(f"insert into {table} ({', '.join(row)}) values", [tuple(row.values())])


@pytest.fixture
def world(clickhouse: Any) -> Iterator[World]:
    """The two tables, empty; nothing sent yet."""
    clickhouse.execute("create database if not exists campaign_replica")
    clickhouse.execute("drop table if exists stir.sent_crm_events")
    clickhouse.execute("use campaign_replica")
    for statement in clickhouse_sources.source_databases()["campaign_replica"]:
        clickhouse.execute(statement.text)
    clickhouse.execute("use default")
    for table in (USERS, CARDS):
        clickhouse.execute(f"truncate table {table}")
    yield World(clickhouse)
    for table in (USERS, CARDS):
        clickhouse.execute(f"truncate table {table}")


def send(source: CrmEventSource, run_id: str = "manual__1", **params: Any) -> dict[str, Any]:
    return run(source, params=params, run_id=run_id)


def told(service: MisbehavingBeat) -> list[str]:
    """Users of the events that arrived, sorted: several are under way at a time."""
    return sorted(body["userId"] for body in service.bodies)


FULL = {
    "campaign_name": 'Glow "up" ✨',
    "campaign_description": "Reels\\posts\n3 days",
    "campaign_tentative_payout_text": "₹500",
    "campaign_image": "https://assets.example/c.jpg",
    "campaign_start_time": datetime(2026, 3, 1, tzinfo=UTC),
    "campaign_end_time": ENDS,
    "campaign_available_slots_count": 0,
    "campaign_crm_invitation_link": "https://gcc.example/c",
    "challenge_id": 70,
    "challenge_name": "Seven days",
    "challenge_image": "https://assets.example/h.jpg",
    "challenge_end_time": datetime(2026, 3, 15, tzinfo=UTC),
    "challenge_crm_invitation_link": "https://gcc.example/h",
}


def test_an_event_tells_of_two_collaborations_and_two_challenges(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    world.card(1, **FULL)
    world.card(2, challenge_id=71, campaign_end_time=ENDS)
    world.card(3, challenge_id=72)
    world.card(4, challenge_id=0, campaign_name="no challenge of this ladder")
    world.card(5)
    world.user(1, ladders=[99, 4, 1, 2, 3], others=[1, 98, 5, 2])  # 98 and 99 have no card
    before = int(datetime.now(UTC).timestamp() * 1000)
    page = send(source)
    assert [request.path for request in service.requests] == ["/webengage/event/"]
    assert service.requests[0].headers["Content-Type"] == "application/json"
    event = service.bodies[0]
    assert before <= int(event.pop("eventTime")) <= int(datetime.now(UTC).timestamp() * 1000)
    assert event == {
        "appType": "USER",
        "userId": "we-1",
        "eventName": "Final Campaign Recommendation",
        "eventData": {
            "User Id": 9_000_001,
            "Collab 1 Id": 1,
            "Collab 1 Name": 'Glow "up" ✨',
            "Collab 1 Description": "Reels\\posts\n3 days",
            "Collab 1 Tentative Payout": "₹500",
            "Collab 1 Image URL": "https://assets.example/c.jpg",
            "Collab 1 Start Date & Time": "2026-03-01T00:00:00+00:00",
            "Collab 1 End Date & Time": "2026-03-31T18:29:59+00:00",
            "Collab 1 Slots Left": 0,
            "Collab 1 Deeplink": "https://gcc.example/c",
            "Collab 2 Id": 5,
            "Collab 2 Name": "",
            "Collab 2 Description": "",
            "Collab 2 Tentative Payout": "",
            "Collab 2 Image URL": "",
            "Collab 2 Deeplink": "",
            "Challenge 1 Id": 70,
            "Challenge 1 Name": "Seven days",
            "Challenge 1 Tentative Payout": "₹500",
            "Challenge 1 Image URL": "https://assets.example/h.jpg",
            "Challenge 1 Start Date & Time": "2026-03-01T00:00:00+00:00",
            "Challenge 1 End Date & Time": "2026-03-15T00:00:00+00:00",
            "Challenge 1 Slots Left": 0,
            "Challenge 1 Deeplink": "https://gcc.example/h",
            "Challenge 2 Id": 71,
            "Challenge 2 Name": "",
            "Challenge 2 Tentative Payout": "",
            "Challenge 2 Image URL": "",
            "Challenge 2 End Date & Time": "2026-03-31T18:29:59+00:00",  # the campaign's
            "Challenge 2 Slots Left": "",
        },
    }
    assert (page["users"], page["due"], page["sent"], page["note"]) == (1, 1, 1, "")


def test_one_offer_of_either_kind_is_enough_and_pages_of_users_without_any_do_not_end_the_run(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    world.card(1, challenge_id=70)
    world.card(2)
    for number in (1, 2, 3, 4):
        world.user(number)  # nothing recommended
    world.user(5, ladders=[1])
    world.user(6, ladders=[2])  # no challenge
    world.user(7, others=[99])  # no card
    world.user(8, others=[2], account_id=None)
    world.user(9, others=[2], webengage_user_id=None)
    world.user(10, others=[2], webengage_user_id="")
    world.user(0, others=[2])
    world.user(11, others=[2], webengage_user_id="we-5")  # another profile of the same user
    world.user(12, others=[2])
    page = send(replace(source, page_size=2))
    assert told(service) == ["we-0", "we-12", "we-5"]
    assert next(body for body in service.bodies if body["userId"] == "we-5")["eventData"]["Challenge 1 Id"] == 70
    counted = ("users", "unknown", "without_offer", "told_before", "due", "sent")
    assert {name: page[name] for name in counted} == dict(zip(counted, (13, 3, 6, 1, 3, 3), strict=True))


def test_nobody_gets_a_second_event_within_the_cool_down(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    world.card(1)
    world.user(1, others=[1])
    assert send(source)["sent"] == 1
    world.user(2, others=[1])
    assert send(source, run_id="manual__2")["sent"] == 1
    assert told(service) == ["we-1", "we-2"]
    assert send(source)["note"] == "nothing to do: no user with an offer and without a recent event"
    rows = world.client.execute("select source, user_id, event_name, run_id from stir.sent_crm_events order by user_id")
    assert rows == [
        ("crm_recommendation_invitation", "we-1", "Final Campaign Recommendation", "manual__1"),
        ("crm_recommendation_invitation", "we-2", "Final Campaign Recommendation", "manual__2"),
    ]
    world.client.execute("create table stir.aged as stir.sent_crm_events")
    # The query counts in whole seconds: a week and a second ago is out of the week at any moment.
    older = "sent_at - interval 7 day - interval 1 second as sent_at"
    aged = f"select * replace ({older}) from stir.sent_crm_events where user_id = 'we-1'"
    world.client.execute(f"insert into stir.aged {aged}")
    world.client.execute("exchange tables stir.aged and stir.sent_crm_events")
    world.client.execute("drop table stir.aged")
    assert send(replace(source, name="another"), dry_run=True)["due"] == 2
    assert send(source)["sent"] == 2


def test_a_run_ends_at_its_limit_and_the_next_goes_on(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    world.card(1)
    for number in range(1, 8):
        world.user(number, others=[1])
    few = replace(source, page_size=2)
    page = send(few, limit=3)
    assert (page["sent"], page["note"]) == (3, "the limit was reached: trigger the DAG again for the users after these")
    assert told(service) == ["we-1", "we-2", "we-3"]
    assert send(few, limit=3)["sent"] == 3
    assert send(few, limit=3) | {"seconds": 0} == {
        "users": 7, "unknown": 0, "without_offer": 0, "told_before": 6, "due": 1, "sent": 1, "refused": 0, "failed": 0,
        "reasons": {}, "seconds": 0, "dry_run": False, "note": "",
    }  # fmt: skip


def test_a_dry_run_sends_and_records_nothing_and_no_id_is_in_the_log(
    source: CrmEventSource,
    world: World,
    service: MisbehavingBeat,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    world.card(1, campaign_name="Glow")
    for number in range(1, 30):
        world.user(number, others=[1])
    with caplog.at_level(logging.DEBUG):
        page = send(source, dry_run=True)
    assert (page["due"], page["sent"], page["note"]) == (29, 0, "dry run: nothing sent")
    assert service.requests == []
    shown = [record.getMessage() for record in caplog.records if "would send" in record.getMessage()]
    assert len(shown) == 20
    assert '"Collab 1 Name":"Glow"' in shown[0]
    with caplog.at_level(logging.DEBUG):
        assert send(source)["sent"] == 29
        assert send(source)["told_before"] == 29
    logged = caplog.text + "".join(capfd.readouterr())
    assert "sent_crm_events" in logged
    assert "we-1" not in logged
    assert "9000001" not in logged


def test_too_many_refusals_fail_the_task_and_whoever_was_told_is_not_told_again(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    def odd_ones_only(request: Received) -> Answer:
        even = int(request.body["userId"].removeprefix("we-")) % 2 == 0
        return (
            Answer(status=400, body={"bad": request.body["userId"], "of": request.body["eventData"]["User Id"]})
            if even
            else TAKEN
        )

    world.card(1)
    for number in range(1, 7):
        world.user(number, others=[1])
    service.script = odd_ones_only
    with pytest.raises(
        AirflowException, match=r"3 of 6 events .* refused and 0 failed .*50%, allowed 10%.* 3 were sent"
    ) as error:
        send(source)
    assert 'HTTP 400: {"bad": "***", "of": ***} (3 times)' in str(error.value)
    service.script = lambda _: TAKEN
    assert send(source)["sent"] == 3
    assert told(service) == ["we-1", "we-2", "we-2", "we-3", "we-4", "we-4", "we-5", "we-6", "we-6"]


def test_a_service_that_refuses_everything_is_left_alone(
    source: CrmEventSource, world: World, service: MisbehavingBeat, left: Any
) -> None:
    world.card(1)
    for number in range(1, 41):
        world.user(number, others=[1])
    service.script = lambda _: Answer(status=403, body={})
    with pytest.raises(AirflowException, match="20 of 20 events"):
        run(replace(source, page_size=10), params={}, run_id="manual__1", ti=left)
    assert len(service.requests) == 20
    assert (left.page["sent"], left.page["refused"]) == (0, 20)


def test_a_service_that_is_down_fails_the_task_and_nobody_counts_as_told(
    source: CrmEventSource, world: World, service: MisbehavingBeat, connection: Callable[..., None]
) -> None:
    world.card(1)
    world.user(1, others=[1])
    connection("crm_events", host="http://127.0.0.1:9")
    with pytest.raises(AirflowException, match=r"1 failed .*100%.* 0 were sent.*ConnectError"):
        send(source)
    connection("crm_events", host=service.url)
    assert send(source)["sent"] == 1


def test_a_service_that_is_too_slow_fails_the_task(
    source: CrmEventSource, world: World, service: MisbehavingBeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_CRM_TIMEOUT_SECONDS", "0.3")
    world.card(1)
    world.user(1, others=[1])
    service.script = lambda _: Answer(delay=2, body={})
    with pytest.raises(AirflowException, match=r"1 failed .*ReadTimeout"):
        send(source)


def test_a_warehouse_that_is_away_is_one_clear_error_and_nobody_is_told(
    source: CrmEventSource, service: MisbehavingBeat, connection: Callable[..., None]
) -> None:
    connection("clickhouse_gcc", host="127.0.0.1", port=9, login="stir", password="x")
    with pytest.raises(Exception, match=r"ClickHouse at 127.0.0.1:9 .* does not answer"):
        send(source)
    assert service.requests == []


def test_a_few_refusals_are_counted_and_do_not_fail_the_task(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    world.card(1)
    for number in range(1, 12):
        world.user(number, others=[1])
    service.script = lambda request: Answer(status=422, body=b"{}") if request.body["userId"] == "we-3" else TAKEN
    page = send(source)
    assert (page["sent"], page["refused"], page["reasons"]) == (10, 1, {"HTTP 422: {}": 1})


def test_an_event_is_sent_again_with_the_same_key_while_the_service_fails(
    source: CrmEventSource, world: World, service: MisbehavingBeat
) -> None:
    world.card(1)
    world.user(1, others=[1])
    world.user(2, others=[1])
    seen: dict[str, int] = {}

    def second_time(request: Received) -> Answer:
        user = request.body["userId"]
        seen[user] = seen.get(user, 0) + 1
        return TAKEN if seen[user] > 1 else Answer(status=503)

    service.script = second_time
    assert send(source)["sent"] == 2
    keys = {(request.body["userId"], request.headers["Idempotency-Key"]) for request in service.requests}
    assert len(service.requests) == 4
    assert len(keys) == len({key for _, key in keys}) == 2
    first, another = (to_send(source, User(9_000_001, "we-1", []), run_id).key for run_id in ("manual__1", "manual__2"))
    assert ("we-1", first) in keys  # a retry of the whole task has the same key, too
    assert another != first


def test_a_connection_without_a_whole_address_is_named(
    source: CrmEventSource, world: World, connection: Callable[..., None]
) -> None:
    connection("crm_events", host="crm.example")
    with pytest.raises(ValueError, match=r"connection 'crm_events' needs a whole address .* not 'crm.example'"):
        send(source)


def test_the_dag_declares_what_the_client_needs(source: CrmEventSource) -> None:
    limit = crm_event.event_params(source)["limit"]
    assert limit.value == source.limit == 20000
    assert source.page_size == 100


def client(service: MisbehavingBeat, **options: Any) -> CrmClient:
    return CrmClient(service.url, "/events", **{"per_second": 1000.0, "first_wait": 0.01, "tries": 3, **options})


def event(user: str) -> CrmEvent:
    return CrmEvent(json.dumps({"userId": user}).encode(), f"key of {user}", (user,))


def test_replies_come_in_the_order_of_the_events_and_calls_run_side_by_side(beat_server: MisbehavingBeat) -> None:
    beat_server.script = lambda request: Answer(delay=0.3 if request.body["userId"] == "u0" else 0.05, body={})
    with client(beat_server, parallel=4) as opened:
        assert list(opened.send_all(event(f"u{n}") for n in range(8))) == [Reply("sent")] * 8
    assert 2 <= beat_server.most_in_flight <= 4


@pytest.mark.parametrize(
    ("answer", "reply", "calls"),
    [
        (Answer(status=204, body=b""), Reply("sent"), 1),
        (Answer(status=302, headers={"Location": "/"}, body=b""), Reply("refused", "HTTP 302: empty body"), 1),
        (Answer(status=404, body=b"no  such\nuser u1"), Reply("refused", "HTTP 404: no such user ***"), 1),
        (Answer(status=500, body=b"oops"), Reply("failed", "HTTP 500: oops"), 3),
        (Answer(status=429, headers={"Retry-After": "0.05"}, body=b""), Reply("failed", "HTTP 429: empty body"), 3),
        (Answer(delay=0.6), Reply("failed", "no reply: ReadTimeout: timed out"), 3),
    ],
)  # fmt: skip
def test_what_an_answer_means(beat_server: MisbehavingBeat, answer: Answer, reply: Reply, calls: int) -> None:
    beat_server.script = lambda _: answer
    with client(beat_server, timeout=0.2) as opened:
        assert opened.send(event("u1")) == reply
    assert len(beat_server.requests) == calls


def test_a_connection_that_is_cut_or_refused_is_a_failure_of_that_event_alone(beat_server: MisbehavingBeat) -> None:
    beat_server.script = lambda request: Answer(cut=True) if request.body["userId"] == "u1" else TAKEN
    with client(beat_server, parallel=1) as opened:
        first, second = opened.send_all([event("u1"), event("u2")])
    assert (first.outcome, second.outcome) == ("failed", "sent")
    assert first.reason.startswith("no reply: ")
    with CrmClient("http://127.0.0.1:9", "/events", tries=2, first_wait=0.01) as away:
        assert away.send(event("u1")).reason.startswith("no reply: ConnectError")
