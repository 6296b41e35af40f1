"""What the message DAGs tell other services: each query on real ClickHouse, one row for each reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from candidate_tables import CandidateTables
from clickhouse_driver import Client
from stir import message_per_row, warehouse
from stir.message_per_row import SENT_MESSAGES, MessageSource

from devstack.neighbours import NEIGHBOURS
from devstack.services import ClickHouseService

pytestmark = pytest.mark.integration

MODULES = {"operations.py", "verification.py"}
NOW = datetime.now(UTC).replace(microsecond=0)
Row = dict[str, Any]

SUBMISSION, CAMPAIGN, BRIEF, DELIVERABLE, APPLICATION, JOURNEY, SHORTLISTED, PAYOUT, USER_LINK = (
    f"campaign_replica.{table}"
    for table in (
        "deliverable_submission", "campaign", "brief", "campaign_deliverable", "user_campaign_application",
        "user_campaign_journey", "shortlisted_user", "campaign_payout", "deliverable_shortlisted_user_link",
    )
)  # fmt: skip
SOCIAL, LAUNCH, ACTIVITY = (
    "identity_replica.social_account",
    "_e.launch_refer_events",
    "_e.post_activity_log_events",
)
COLLECTION, ITEM, PARTNER, KEYWORDS = (
    "dbt.stg_coffee_post_collection",
    "dbt.stg_coffee_post_collection_item",
    "dbt.comment_partners",
    "dbt.stg_coffee_keyword_collection",
)
PROFILE, ACCOUNT, POST = (
    "dbt.stg_coffee_campaign_profiles",
    "dbt.stg_coffee_view_instagram_account_lite",
    "dbt.stg_beat_instagram_post",
)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """One DAG: the rows that make up its n-th candidate, the message about it, and what changes the outcome.

    `order` is the order of the candidates 1, 2 and 3. A change leads from `table.column` to another value, or from a
    table to None: no such row.
    """

    rows: Callable[[int], dict[str, Row]]
    message: Callable[[int], Any]
    order: tuple[int, int, int]
    identity: Callable[[int], str] = str
    left_out: Mapping[str, Row] = field(default_factory=dict)
    still_chosen: Mapping[str, Row] = field(default_factory=dict)


def submission(n: int, **more: Any) -> Row:
    row = {"campaign_id": n, "brief_id": n, "campaign_deliverable_id": n, "campaign_profile_id": 500 + n}
    return {"id": n, "status": "UNDER_REVIEW", "level": "FINAL_POST", "short_code": f"Cx{n}", **row, **more}


def known_profile(n: int) -> dict[str, Row]:
    return {
        PROFILE: {"id": 500 + n, "platform": "INSTAGRAM", "platform_account_id": 900 + n},
        ACCOUNT: {"id": 900 + n, "ig_id": f"77{n}", "handle": f"ann_{n}"},
    }


def final_post(n: int) -> dict[str, Row]:
    return {
        SUBMISSION: submission(n, platform_id=1, status="REJECTED"),
        SOCIAL: {"campaign_profile_id": 500 + n, "final_post_link_submitted_once": None, "platform": "INSTAGRAM"},
    }


def disagreement(n: int) -> dict[str, Row]:
    return {SUBMISSION: {"id": n, "status": "UNDER_REVIEW", "saas_post_item_status": "ADDED"}}


def states(status: str | None, item: str | None) -> Row:
    return {f"{SUBMISSION}.status": status, f"{SUBMISSION}.saas_post_item_status": item}


def application(n: int) -> dict[str, Row]:
    return {APPLICATION: {"id": n, "active": 1}}


def profile_item(n: int) -> dict[str, Row]:
    row = {"campaign_id": n, "created_on": utc(2023, 8, 30, 0, 0, 1), "saas_campaign_collection_item_id": None}
    return {
        APPLICATION: {"id": n, "active": 1, **row},
        CAMPAIGN: {"id": n, "saas_campaign_collection_id": "12"},
    }


def unpaid(n: int) -> dict[str, Row]:
    row = {"id": n, "active": 1, "accepted": 1, "created_on": utc(2023, 8, 30, 0, 0, 1)}
    return {SHORTLISTED: row, PAYOUT: {"shortlisted_user_id": None}}


def launched(n: int) -> dict[str, Row]:
    links = [{"type": "refer", "link": f"https://gcc.page.example/{n}"}]
    return {
        USER_LINK: {"shortlisted_user_id": n, "unique_link_data": json.dumps(links)},
        LAUNCH: {
            "dynamic_link": f"https://gcc.page.example/{n}?utm_source=ig&a=1",
            "event_timestamp": ago(hours=23 - n),
        },
    }


def two_links(n: int) -> str:
    return json.dumps([{"link": "https://gcc.page.example/other"}, {"link": f"https://gcc.page.example/{n}?x=1"}])


def commented(n: int) -> dict[str, Row]:
    collection, code = f"collection-{n}", f"Cx{n}"
    seen = {
        "event_timestamp": ago(days=13 - n),
        "publish_time": ago(days=13, hours=20),
        "dimensions": '{"comment_id": "1"}',
    }
    return {
        PARTNER: {"partner_id": 70 + n},
        COLLECTION: {"id": collection, "partner_id": 70 + n},
        ITEM: {"id": n, "post_collection_id": collection, "platform": "INSTAGRAM", "short_code": code},
        ACTIVITY: {"activity_type": "COMMENT", "platform": "INSTAGRAM", "shortcode": code, **seen},
    }


def keyword_collection(n: int) -> dict[str, Row]:
    span = {"start_time": utc(2026, 1, 31, 23, 30), "end_time": utc(2026, 2, 28, 1)}
    row = {"platform": "YOUTUBE", "keywords": ["skin care", 'a "b"'], "report_path": None, "enabled": 1, **span}
    return {KEYWORDS: {"id": f"k{n}", **row, "created_at": ago(hours=40 - n)}}


def content(n: int) -> dict[str, Row]:
    return {
        SUBMISSION: submission(n, campaign_post_format_id=11),
        CAMPAIGN: {"id": n, "campaign_type": "REPOST_CHALLENGE", "platform_id": 1},
        BRIEF: {
            "id": n, "auto_verification": 1, "content_auto_verification": 1, "unique_link_auto_verification": 0,
        },
        DELIVERABLE: {"id": n, "reference_url": f"https://www.instagram.com/reel/C{n}/?igshid=a%3D1"},
        **known_profile(n),
    }  # fmt: skip


def content_message(n: int, kind: str = "reels") -> Row:
    post = {"type": kind, "shortcode": f"Cx{n}", "profile_id": f"77{n}", "submission_id": n, "platform": "INSTAGRAM"}
    return {"expected_content_url": f"https://www.instagram.com/reel/C{n}/?igshid=a%3D1", "post": post}


def unverified(n: int) -> dict[str, Row]:
    created = utc(2023, 10, 4, 0, 0, 1)
    return {
        SUBMISSION: submission(n, campaign_post_format_id=3, handle_verified=None, created_on=created),
        CAMPAIGN: {"id": n, "platform_id": 1, "saas_collection_id": "c"},
        POST: {"id": n, "shortcode": f"Cx{n}", "profile_id": f"88{n}", "handle": f"eve_{n}", "updated_at": ago(days=1)},
        **known_profile(n),
    }


def handles_message(n: int) -> Row:
    owner = {"urlIGId": f"88{n}", "urlCPHandle": f"eve_{n}"}
    return {"submissionId": n, "submissionCPIGId": f"77{n}", "submissionCPHandle": f"ann_{n}", **owner}


SAME_PROFILE_RULES: dict[str, Row] = {
    "no campaign profile": {PROFILE: None},
    "profile on YouTube": {f"{PROFILE}.platform": "YOUTUBE"},
    "profile without an account": {ACCOUNT: None},
    "account without an Instagram id": {f"{ACCOUNT}.ig_id": ""},
    "account whose Instagram id is unknown": {f"{ACCOUNT}.ig_id": None},
    "approved already": {f"{SUBMISSION}.status": "APPROVED"},
    "not the final post": {f"{SUBMISSION}.level": "DRAFT"},
    "no level": {f"{SUBMISSION}.level": None},
    "no short code": {f"{SUBMISSION}.short_code": None},
    "no campaign": {CAMPAIGN: None},
    "campaign on another platform": {f"{CAMPAIGN}.platform_id": 2},
}

CASES = {
    "sync_missing_journey": Case(
        rows=application,
        message=int,
        order=(1, 2, 3),
        left_out={"inactive": {f"{APPLICATION}.active": 0}, "neither": {f"{APPLICATION}.active": None}},
    ),
    "sync_final_post_submitted_for_cp": Case(
        rows=final_post,
        message=lambda n: 500 + n,
        identity=lambda n: str(500 + n),
        order=(3, 2, 1),
        left_out={
            "draft": {f"{SUBMISSION}.level": "DRAFT"},
            "third platform": {f"{SUBMISSION}.platform_id": 3},
            "no platform": {f"{SUBMISSION}.platform_id": None},
            "no profile": {f"{SUBMISSION}.campaign_profile_id": None},
            "no account": {SOCIAL: None},
            "account without a profile": {f"{SOCIAL}.campaign_profile_id": None},
            "known already": {f"{SOCIAL}.final_post_link_submitted_once": 1},
        },
        still_chosen={
            "second platform": {f"{SUBMISSION}.platform_id": 2},
            "told that there is none": {f"{SOCIAL}.final_post_link_submitted_once": 0},
        },
    ),
    "sync_post_with_saas_again": Case(
        rows=disagreement,
        message=int,
        identity=lambda n: f"{n}|UNDER_REVIEW|ADDED",
        order=(1, 2, 3),
        left_out={
            "under review on both sides": states("UNDER_REVIEW", "UNDER_REVIEW_ADDED"),
            "approved on both sides": states("APPROVED", "ADDED"),
            "rejected on both sides": states("REJECTED", "REMOVED"),
            "no item status": states("APPROVED", None),
            "no status": states(None, "ADDED"),
            "another status": states("DRAFT", "ADDED"),
        },
        still_chosen={
            "approved here only": states("APPROVED", "UNDER_REVIEW_ADDED"),
            "rejected here only": states("REJECTED", "ADDED"),
        },
    ),
    "uca_su_saas_item_sync": Case(
        rows=profile_item,
        message=int,
        order=(1, 2, 3),
        left_out={
            "inactive": {f"{APPLICATION}.active": 0},
            "of the day that is too early": {f"{APPLICATION}.created_on": utc(2023, 8, 30)},
            "undated": {f"{APPLICATION}.created_on": None},
            "has an item": {f"{APPLICATION}.saas_campaign_collection_item_id": "9"},
            "no campaign": {CAMPAIGN: None},
            "campaign without a collection": {f"{CAMPAIGN}.saas_campaign_collection_id": None},
            "campaign with an empty collection": {f"{CAMPAIGN}.saas_campaign_collection_id": ""},
        },
        still_chosen={"empty item": {f"{APPLICATION}.saas_campaign_collection_item_id": ""}},
    ),
    "create_payout_for_active_su_if_not_present": Case(
        rows=unpaid,
        message=int,
        order=(3, 2, 1),
        left_out={
            "inactive": {f"{SHORTLISTED}.active": 0},
            "not accepted": {f"{SHORTLISTED}.accepted": 0},
            "no answer": {f"{SHORTLISTED}.accepted": None},
            "of the day that is too early": {f"{SHORTLISTED}.created_on": utc(2023, 8, 30)},
            "undated": {f"{SHORTLISTED}.created_on": None},
            "paid": {f"{PAYOUT}.shortlisted_user_id": "itself"},
        },
    ),
    "mark_campaign_completed_on_refer_launch": Case(
        rows=launched,
        message=int,
        order=(1, 2, 3),
        left_out={
            "no launch": {LAUNCH: None},
            "launched too long ago": {f"{LAUNCH}.event_timestamp": ago(hours=25)},
            "launch without a link and user without links": {
                f"{LAUNCH}.dynamic_link": "", f"{USER_LINK}.unique_link_data": None,
            },
            "both empty": {f"{LAUNCH}.dynamic_link": "", f"{USER_LINK}.unique_link_data": '[{"link": ""}]'},
            "both nothing but a query": {
                f"{LAUNCH}.dynamic_link": "?a=1", f"{USER_LINK}.unique_link_data": '[{"link": "?b"}]',
            },
            "no links": {f"{USER_LINK}.unique_link_data": "[]"},
            "links that are no JSON": {f"{USER_LINK}.unique_link_data": "[{"},
            "nobody's link": {f"{USER_LINK}.shortlisted_user_id": None},
        },
        still_chosen={
            "launched through the second link": {f"{USER_LINK}.unique_link_data": two_links},
            "launched without a query": {f"{LAUNCH}.dynamic_link": lambda n: f"https://gcc.page.example/{n}"},
        },
    ),
    "sync_post_collection_sentiment_report_path": Case(
        rows=commented,
        message=lambda n: {"collectionId": f"collection-{n}", "collectionType": "POST"},
        identity=lambda n: f"collection-{n}|{ago(days=13 - n):%Y-%m-%d %H:%M:%S}",
        order=(1, 2, 3),
        left_out={
            "another partner": {f"{COLLECTION}.partner_id": 69},
            "no partner": {f"{COLLECTION}.partner_id": None},
            "partner not listed": {PARTNER: None},
            "no post": {ITEM: None},
            "no comment": {ACTIVITY: None},
            "old comment": {f"{ACTIVITY}.publish_time": ago(days=14, minutes=1)},
            "undated comment": {f"{ACTIVITY}.publish_time": None},
            "liked only": {f"{ACTIVITY}.activity_type": "LIKE"},
            "comment on another platform's post": {f"{ACTIVITY}.platform": "YOUTUBE"},
            "posts without a code": {f"{ITEM}.short_code": "", f"{ACTIVITY}.shortcode": ""},
        },
    ),
    "sync_keyword_collection_report": Case(
        rows=keyword_collection,
        message=lambda n: {
            "job_id": f"PROD_KC_k{n}", "platform": "YOUTUBE", "keywords": ["skin care", 'a "b"'],
            "start_date": "2026-01-31", "end_date": "2026-02-28",
        },
        identity=lambda n: f"k{n}",
        order=(1, 2, 3),
        left_out={
            "has a report": {f"{KEYWORDS}.report_path": "s3://x"},
            "disabled": {f"{KEYWORDS}.enabled": 0},
            "neither": {f"{KEYWORDS}.enabled": None},
            "too new": {f"{KEYWORDS}.created_at": ago(minutes=30)},  # as of the import, long before the test
            "no platform": {f"{KEYWORDS}.platform": None},
            "no keywords": {f"{KEYWORDS}.keywords": []},
            "empty keywords": {f"{KEYWORDS}.keywords": ["", None]},
            "no beginning": {f"{KEYWORDS}.start_time": None},
            "no end": {f"{KEYWORDS}.end_time": None},
        },
    ),
    "upload_content_verification": Case(
        rows=content,
        message=content_message,
        identity=lambda n: f"{n}|Cx{n}",
        order=(3, 2, 1),
        left_out={
            **SAME_PROFILE_RULES,
            "an image": {f"{SUBMISSION}.campaign_post_format_id": 1},
            "no format": {f"{SUBMISSION}.campaign_post_format_id": None},
            "another type of campaign": {f"{CAMPAIGN}.campaign_type": "COLLAB"},
            "no brief": {BRIEF: None},
            "brief without verification": {f"{BRIEF}.auto_verification": 0},
            "brief that verifies only links": {
                f"{BRIEF}.content_auto_verification": 0, f"{BRIEF}.unique_link_auto_verification": 1,
            },
            "no deliverable": {DELIVERABLE: None},
            "no reference": {f"{DELIVERABLE}.reference_url": None},
            "empty reference": {f"{DELIVERABLE}.reference_url": ""},
        },
        still_chosen={
            "story": {f"{SUBMISSION}.campaign_post_format_id": 2},
            "repost reel": {f"{SUBMISSION}.campaign_post_format_id": 42},
            "reward ladder": {f"{CAMPAIGN}.campaign_type": "REWARD_LADDER"},
        },
    ),
    "upload_handle_verification": Case(
        rows=unverified,
        message=handles_message,
        identity=lambda n: f"{n}|Cx{n}",
        order=(1, 2, 3),
        left_out={
            **SAME_PROFILE_RULES,
            "unknown format": {f"{SUBMISSION}.campaign_post_format_id": 4},
            "verified": {f"{SUBMISSION}.handle_verified": 1},
            "refuted": {f"{SUBMISSION}.handle_verified": 0},
            "of the day that is too early": {f"{SUBMISSION}.created_on": utc(2023, 10, 4)},
            "undated": {f"{SUBMISSION}.created_on": None},
            "campaign without a collection": {f"{CAMPAIGN}.saas_collection_id": None},
            "post not scraped": {POST: None},
            "post without an owner": {f"{POST}.profile_id": None},
            "owner without a handle": {f"{POST}.handle": None},
            "submitter without a handle": {f"{ACCOUNT}.handle": None},
        },
        still_chosen={
            "story": {f"{SUBMISSION}.campaign_post_format_id": 2},
        },
    ),
}  # fmt: skip


class World(CandidateTables):
    """The tables, and what was published earlier."""

    def __init__(self, client: Client, sources: Mapping[str, MessageSource]) -> None:
        super().__init__(client)
        self.sources = sources

    def add(self, case: Case, n: int, changes: Mapping[str, Any] | None = None) -> None:
        """The rows of a case's n-th candidate, changed."""
        rows = case.rows(n)
        for place, value in (changes or {}).items():
            if value is None and place in rows:
                del rows[place]
                continue
            table, column = place.rsplit(".", 1)
            rows[table][column] = value(n) if callable(value) else n if value == "itself" else value
        for table, row in rows.items():
            self.insert(table, row)

    def told(self, source: str, identity: str, when: datetime) -> None:
        self.insert(SENT_MESSAGES, {"source": source, "id": identity, "published_at": when})

    def messages(self, name: str, limit: int | None = None) -> list[Any]:
        """Bodies that a run would publish, in order."""
        source = self.sources[name]
        parameters = {variable.name: variable.text() for variable in source.variables}
        rows = warehouse.rows(source.query(limit or source.limit), parameters or None, what=name)
        return [json.loads(source.body(row)) for row in rows]


@pytest.fixture(scope="module")
def sources(dag_bag: Any) -> dict[str, MessageSource]:
    return {
        dag_id: dag.tasks[0].op_kwargs["source"]
        for dag_id, dag in dag_bag.dags.items()
        if Path(dag.fileloc).name in MODULES
    }


@pytest.fixture(scope="module")
def tables(clickhouse_service: ClickHouseService, sources: dict[str, MessageSource]) -> Iterator[World]:
    at = clickhouse_service.endpoint
    client = Client(at.host, port=at.native_port, user=at.user, password=at.password)
    connection = {"conn_type": "generic", "host": at.host, "port": at.native_port, "login": at.user}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_GCC", json.dumps({**connection, "password": at.password}))
        for statement in message_per_row.DDL:
            client.execute(statement)
        world = World(client, sources)
        world.create_for(source.query(1) for source in sources.values())
        yield world
        world.drop()
    client.disconnect()


@pytest.fixture
def world(tables: World) -> Iterator[World]:
    yield tables
    tables.empty()


def test_every_message_dag_has_its_case(sources: dict[str, MessageSource]) -> None:
    assert set(sources) == set(CASES)


def test_every_key_of_another_service_has_a_queue_in_the_local_stack(sources: dict[str, MessageSource]) -> None:
    known = {(neighbour.exchange, neighbour.routing_key) for neighbour in NEIGHBOURS}
    assert {(source.exchange, source.routing_key) for source in sources.values() if source.exchange} == known


@pytest.mark.parametrize("name", CASES)
def test_the_message_and_its_cool_down(world: World, name: str) -> None:
    case, source = CASES[name], world.sources[name]
    world.add(case, 1)
    assert world.messages(name) == [case.message(1)]
    world.told("another_dag", case.identity(1), ago(minutes=1))
    world.told(name, case.identity(2), ago(minutes=1))
    world.told(name, case.identity(1), NOW - source.cool_down - timedelta(minutes=1))
    assert world.messages(name) == [case.message(1)]
    world.told(name, case.identity(1), NOW - source.cool_down + timedelta(minutes=5))
    assert world.messages(name) == []


@pytest.mark.parametrize("name", CASES)
def test_the_order_and_the_limit(world: World, name: str) -> None:
    case = CASES[name]
    for n in (2, 3, 1):
        world.add(case, n)
    assert world.messages(name) == [case.message(n) for n in case.order]
    assert world.messages(name, limit=2) == [case.message(n) for n in case.order[:2]]
    world.told(name, case.identity(case.order[0]), ago(minutes=1))
    assert world.messages(name, limit=1) == [case.message(case.order[1])]


@pytest.mark.parametrize("name", CASES)
def test_each_reason_to_be_left_out_and_what_is_none(world: World, name: str) -> None:
    case = CASES[name]
    labels = {1: "unchanged"}
    world.add(case, 1)
    for n, (label, changes) in enumerate({**case.left_out, **case.still_chosen}.items(), 2):
        labels[n] = label
        world.add(case, n, changes)
    source = world.sources[name]
    parameters = {variable.name: variable.text() for variable in source.variables}
    found = {row[message_per_row.IDENTITY] for row in warehouse.rows(source.query(1000), parameters or None, what=name)}
    by_id = {case.identity(n).split("|")[0]: label for n, label in labels.items()}
    assert {by_id[identity.split("|")[0]] for identity in found} == {"unchanged", *case.still_chosen}


def test_an_application_with_a_journey_is_left_out(world: World) -> None:
    case = CASES["sync_missing_journey"]
    world.add(case, 1)
    world.add(case, 2)
    world.insert(JOURNEY, {"uca_id": 1}, {"uca_id": None})
    assert world.messages("sync_missing_journey") == [2]


def test_a_profile_with_several_posts_and_accounts_is_one_message_placed_by_the_newest_post(world: World) -> None:
    case = CASES["sync_final_post_submitted_for_cp"]
    world.add(case, 1)
    world.add(case, 2)
    world.insert(SUBMISSION, submission(9, platform_id=2, campaign_profile_id=501))
    world.insert(SOCIAL, {"campaign_profile_id": 501, "final_post_link_submitted_once": 1, "platform": "YOUTUBE"})
    assert world.messages("sync_final_post_submitted_for_cp") == [501, 502]


def test_another_disagreement_of_the_same_submission_is_told_at_once(world: World) -> None:
    name = "sync_post_with_saas_again"
    world.add(CASES[name], 1)
    world.told(name, "1|APPROVED|UNDER_REVIEW_ADDED", ago(minutes=1))
    assert world.messages(name) == [1]


def test_nobody_is_paid_while_the_replica_of_payouts_is_empty(world: World) -> None:
    name = "create_payout_for_active_su_if_not_present"
    world.add(CASES[name], 1, {PAYOUT: None})
    assert world.messages(name) == []


def test_several_launches_and_links_of_a_user_are_one_message_placed_by_the_first_launch(world: World) -> None:
    name = "mark_campaign_completed_on_refer_launch"
    case = CASES[name]
    world.add(case, 1)
    world.add(case, 3)
    world.insert(LAUNCH, {"dynamic_link": "https://gcc.page.example/3?x", "event_timestamp": ago(hours=23)})
    world.insert(USER_LINK, {"shortlisted_user_id": 3, "unique_link_data": '[{"link": "https://gcc.page.example/1"}]'})
    assert world.messages(name) == [3, 1]


def test_only_a_comment_that_was_never_seen_before_orders_another_report(world: World) -> None:
    name = "sync_post_collection_sentiment_report_path"
    case = CASES[name]
    world.add(case, 1)
    world.told(name, case.identity(1), ago(days=2))
    comment = case.rows(1)[ACTIVITY]
    world.insert(ACTIVITY, {**comment, "event_timestamp": ago(minutes=1)})  # the same comment, seen again
    assert world.messages(name) == []
    world.insert(ACTIVITY, {**comment, "event_timestamp": ago(minutes=1), "dimensions": '{"comment_id": "2"}'})
    assert world.messages(name) == [case.message(1)]


def test_a_comment_that_grows_old_orders_no_report(world: World) -> None:
    """The newest comment is older than two weeks by now; what is newest among the others was never told."""
    name = "sync_post_collection_sentiment_report_path"
    case = CASES[name]
    world.add(case, 1)
    comment = case.rows(1)[ACTIVITY]
    seen = ago(days=8)
    later = {"event_timestamp": seen, "publish_time": ago(days=20), "dimensions": '{"comment_id": "2"}'}
    world.insert(ACTIVITY, {**comment, **later})
    world.told(name, f"collection-1|{seen:%Y-%m-%d %H:%M:%S}", ago(days=7))
    assert world.messages(name) == []


def test_an_old_comment_that_is_seen_for_the_first_time_is_no_news(world: World) -> None:
    name = "sync_post_collection_sentiment_report_path"
    case = CASES[name]
    world.add(case, 1)
    world.told(name, case.identity(1), ago(days=2))
    old = {"publish_time": ago(days=20), "event_timestamp": ago(minutes=5), "dimensions": '{"comment_id": "2"}'}
    world.insert(ACTIVITY, {**case.rows(1)[ACTIVITY], **old})
    assert world.messages(name) == []


def test_the_prefix_of_the_job_and_the_first_days_come_from_variables(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sync_keyword_collection_report", "create_payout_for_active_su_if_not_present"):
        world.add(CASES[name], 1)
    monkeypatch.setenv("AIRFLOW_VAR_KEYWORD_JOB_PREFIX", "STAGE'S_")
    monkeypatch.setenv("AIRFLOW_VAR_PAYOUTS_SINCE", "2023-08-30 00:00:01")
    assert world.messages("sync_keyword_collection_report")[0]["job_id"] == "STAGE'S_k1"
    assert world.messages("create_payout_for_active_su_if_not_present") == []


def test_a_story_says_so_in_its_message(world: World) -> None:
    name = "upload_content_verification"
    world.add(CASES[name], 1, {f"{SUBMISSION}.campaign_post_format_id": 2})
    assert world.messages(name) == [content_message(1, "story")]


@pytest.mark.parametrize("name", ["upload_content_verification", "upload_handle_verification"])
def test_a_replaced_post_is_verified_at_once(world: World, name: str) -> None:
    world.add(CASES[name], 1)
    world.told(name, "1|CxBefore", ago(minutes=1))
    assert world.messages(name) == [CASES[name].message(1)]


def test_the_newest_reading_of_a_post_tells_its_owner(world: World) -> None:
    name = "upload_handle_verification"
    world.add(CASES[name], 1)
    post = CASES[name].rows(1)[POST]
    world.insert(POST, {**post, "id": 20, "handle": "before", "updated_at": ago(days=9)})
    world.insert(POST, {**post, "id": 21, "handle": "after", "updated_at": ago(hours=1)})
    world.insert(POST, {**post, "id": 22, "handle": None, "updated_at": ago(minutes=1)})
    assert world.messages(name) == [{**handles_message(1), "urlCPHandle": "after"}]
