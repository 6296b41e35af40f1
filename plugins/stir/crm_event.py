"""The task of a CRM DAG: one event for each user who can be offered something, each at most once per cool-down.

Users come page by page from a candidate query, which also brings the cards of their offers. Who got an event is
recorded in ClickHouse table `stir.sent_crm_events` (created here if missing) after each page, so a run that was cut
short goes on with whoever is left when it is started again. The ids of users stand in that table and in no log.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException

from stir.run_page import left_behind
from stir.warehouse import literal

if TYPE_CHECKING:
    from stir.crm_client import CrmEvent, Reply

log = logging.getLogger(__name__)

CONNECTION = "crm_events"
SENT_EVENTS = "stir.sent_crm_events"
USER_ID = "User Id"
SHOWN_IN_DRY_RUN = 20
JUDGED_AFTER = 20
COUNTED = ("sent", "refused", "failed")
"""So many answers are needed before a run is stopped for its share of errors."""

ON_FAILURE = """
The error says how many events were sent, refused and failed, with the reasons. Whoever got an event is recorded and
gets no other one within the cool-down, so the retries, and a run that is triggered again, go on with the rest. The
service away or throttling: trigger the DAG again once it is back. Many refusals: compare an event of a run whose
`dry_run` is set with what the service expects.
"""

DDL = (
    "create database if not exists stir",
    f"""
    create table if not exists {SENT_EVENTS}
    (
        source LowCardinality(String) comment 'DAG that sent',
        user_id String comment 'user as the CRM knows them',
        event_name LowCardinality(String),
        run_id String,
        sent_at DateTime64(3, 'UTC') comment 'when the CRM took it'
    )
    engine = MergeTree
    partition by toYYYYMM(sent_at)
    order by (source, user_id, sent_at)
    ttl toDateTime(sent_at) + interval 180 day
    comment 'Events that DAGs have sent to the CRM, for cool-downs and for looking up'
    """,
)


@dataclass(frozen=True, kw_only=True)
class OfferKind:
    """How offers of one kind stand in an event: under keys `<label> <n> <name>`, n from 1 to `most`.

    `kind` is their value in the candidate query's column of that name. `always` and `when_known` lead from names to
    columns: an unknown value is an empty text in the former, and no key at all in the latter.
    """

    kind: str
    label: str
    always: Mapping[str, str]
    when_known: Mapping[str, str]
    most: int = 2

    def data(self, offers: list[Mapping[str, Any]]) -> dict[str, Any]:
        """The keys of a user's known offers of this kind, the best first."""
        data: dict[str, Any] = {}
        for number, offer in enumerate([row for row in offers if row["kind"] == self.kind][: self.most], 1):
            known = {name: offer[column] for name, column in self.when_known.items() if offer[column] is not None}
            texts = {name: "" if offer[column] is None else offer[column] for name, column in self.always.items()}
            data |= {f"{self.label} {number} {name}": value for name, value in (known | texts).items()}
        return data


@dataclass(frozen=True, kw_only=True)
class CrmEventSource:
    """One source of CRM events.

    `candidates` is a query file for one page of users: with the parameters `%(after)s` and `%(page_size)s` it returns,
    by `cp_id`, one row per user and offer: cp_id, account_id, webengage_user_id, kind, known (1: can be offered), and
    the columns of `kinds`. A user who is known to the CRM and to whom anything can be offered gets an event, unless
    this source sent one within `cool_down`. `limit` counts the events of a run.
    """

    name: str
    event_name: str
    candidates: Path
    kinds: tuple[OfferKind, ...]
    limit: int
    cool_down: timedelta
    page_size: int = 100
    path: str = "/webengage/event/"
    app_type: str = "USER"

    def pages(self) -> Iterator[list[User]]:
        """Users by cp_id, page by page, until there are no more."""
        from stir import warehouse

        sql = self.candidates.read_text(encoding="utf-8").strip().rstrip(";")
        after = -1
        while True:
            parameters = {"after": after, "page_size": self.page_size}
            rows = warehouse.rows(sql, parameters, what=self.candidates.name)
            if not rows:
                return
            yield [User.of(list(own)) for _, own in groupby(rows, key=lambda row: row["cp_id"])]
            after = rows[-1]["cp_id"]

    def event(self, user: User, moment: datetime) -> dict[str, Any]:
        """The event about one user's offers; `eventTime` is epoch milliseconds as text."""
        data: dict[str, Any] = {USER_ID: user.account_id}
        for kind in self.kinds:
            data |= kind.data(user.offers)
        return {
            "appType": self.app_type,
            "userId": user.user_id,
            "eventName": self.event_name,
            "eventTime": str(int(moment.timestamp() * 1000)),
            "eventData": data,
        }

    def told_lately(self) -> set[str]:
        """Users who got an event of this source within the cool-down; all of them, as parameters would be logged."""
        from stir import warehouse

        rows = warehouse.rows(
            f"select distinct user_id from {SENT_EVENTS}\n"  # noqa: S608
            f"where source = {literal(self.name)} "
            f"and sent_at >= now('UTC') - interval {int(self.cool_down.total_seconds())} second",
            what=SENT_EVENTS,
        )
        return {row["user_id"] for row in rows}


@dataclass(frozen=True)
class User:
    """A user and what can be offered to them, the best first. `user_id` is what the CRM calls them."""

    account_id: int | None
    user_id: str | None
    offers: list[Mapping[str, Any]]

    @classmethod
    def of(cls, rows: list[Mapping[str, Any]]) -> User:
        """From the candidate rows of one user."""
        return cls(rows[0]["account_id"], rows[0]["webengage_user_id"], [row for row in rows if row["known"]])


@dataclass
class Totals:
    """What became of the users of one run: seen, not known to the CRM, without anything to offer, told lately, to be
    told now; and what became of the events of the last.
    """

    users: int = 0
    unknown: int = 0
    without_offer: int = 0
    told_before: int = 0
    due: int = 0
    sent: int = 0
    refused: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    REASONS = 10

    def count(self, reply: Reply) -> None:
        """Add the final answer to one event."""
        setattr(self, reply.outcome, getattr(self, reply.outcome) + 1)
        if reply.reason:
            self.reasons[reply.reason] += 1

    @property
    def tried(self) -> int:
        """Events that got a final answer, good or bad."""
        return self.sent + self.refused + self.failed

    @property
    def error_share(self) -> float:
        """Share of tried events that were refused or failed; 0 when none was tried."""
        return (self.refused + self.failed) / self.tried if self.tried else 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready counts and the most frequent reasons."""
        return {**vars(self), "reasons": dict(self.reasons.most_common(self.REASONS))}


def event_params(source: CrmEventSource) -> dict[str, Param]:
    """The form of a manual trigger."""
    return {
        "limit": Param(
            source.limit, type="integer", minimum=1, maximum=source.limit * 10, description="most events of one run"
        ),
        "dry_run": Param(
            False, type="boolean", description="show what would be sent, without the ids of users, and send nothing"
        ),
    }


def send_events(source: CrmEventSource, task_id: str = "send_events") -> PythonOperator:
    """Task that sends the events of one source. XCom: see `run`."""
    return PythonOperator(
        task_id=task_id, python_callable=run, op_kwargs={"source": source}, show_return_value_in_logs=False
    )


def run(source: CrmEventSource, params: Mapping[str, Any], run_id: str, **context: Any) -> dict[str, Any]:
    """Page through the users, send, record. Returns the counts of Totals, `seconds`, `dry_run` and `note`; a run that
    fails leaves the same as its XCom.

    Nobody to tell is a success that says so. Raises AirflowException when the share of refused and failed events is
    above Variable `crm_error_share`; whoever got an event is recorded in any case.
    """
    from stir import warehouse

    limit, dry_run = int(params.get("limit") or source.limit), bool(params.get("dry_run"))
    for statement in DDL:
        warehouse.command(statement, what=f"create {SENT_EVENTS}")
    totals, began = Totals(), time.monotonic()
    note = "dry run: nothing sent" if dry_run else ""

    def page() -> dict[str, Any]:
        return {**totals.as_dict(), "seconds": round(time.monotonic() - began, 2), "dry_run": dry_run, "note": note}

    try:
        with left_behind(context, page, COUNTED):
            if dry_run:
                show(source, totals, limit)
            else:
                send(source, totals, limit, run_id)
                if not totals.due:
                    note = "nothing to do: no user with an offer and without a recent event"
                elif totals.due >= limit:
                    note = "the limit was reached: trigger the DAG again for the users after these"
    finally:
        log.info("%s: %s", source.name, page())
    return page()


def due_users(source: CrmEventSource, totals: Totals, limit: int) -> Iterator[list[User]]:
    """Page by page the users who are to get an event, `limit` users at most; counts them and everybody else."""
    told = source.told_lately()
    for page in source.pages():
        due = []
        for user in page:
            totals.users += 1
            if not (user.account_id and user.user_id):
                totals.unknown += 1
            elif not user.offers:
                totals.without_offer += 1
            elif user.user_id in told:  # in an earlier run, or under another profile in this one
                totals.told_before += 1
            else:
                told.add(user.user_id)
                due.append(user)
                totals.due += 1
                if totals.due >= limit:
                    break
        yield due
        if totals.due >= limit:
            return


def show(source: CrmEventSource, totals: Totals, limit: int) -> None:
    """Log the first events that would be sent, without the ids of their users; count all of them."""
    shown = 0
    for due in due_users(source, totals, limit):
        for user in due[: SHOWN_IN_DRY_RUN - shown]:
            event = source.event(user, datetime.now(UTC))
            event["userId"] = event["eventData"][USER_ID] = ""
            log.info("would send %s", dumped(event).decode())
            shown += 1


def send(source: CrmEventSource, totals: Totals, limit: int, run_id: str) -> None:
    """Send the events through connection `crm_events` and record each page. Raises AirflowException after too many
    errors.
    """
    from airflow.sdk import Connection

    from stir.crm_client import CrmClient
    from stir.platform_variables import CRM_ERROR_SHARE, CRM_PARALLEL, CRM_RATE, CRM_TIMEOUT

    allowed = CRM_ERROR_SHARE.number()
    with CrmClient(
        Connection.get(CONNECTION).host or "",
        source.path,
        timeout=CRM_TIMEOUT.number(),
        parallel=int(CRM_PARALLEL.number()),
        per_second=CRM_RATE.number(),
    ) as client:
        for due in due_users(source, totals, limit):
            sent: list[tuple[Any, ...]] = []
            try:
                events = [to_send(source, user, run_id) for user in due]
                for user, reply in zip(due, client.send_all(events), strict=True):
                    totals.count(reply)
                    if reply.outcome == "sent":
                        sent.append((source.name, user.user_id, source.event_name, run_id, datetime.now(UTC)))
            finally:
                record(sent)
            if totals.tried >= JUDGED_AFTER and totals.error_share > max(allowed, 0.5):
                break
    if totals.error_share > allowed:
        reasons = "; ".join(f"{reason} ({count} times)" for reason, count in totals.reasons.most_common(3))
        raise AirflowException(
            f"{totals.refused} of {totals.tried} events {source.event_name!r} were refused and {totals.failed} failed "
            f"(share {totals.error_share:.0%}, allowed {allowed:.0%}), {totals.sent} were sent. Reasons: {reasons}"
        )


def to_send(source: CrmEventSource, user: User, run_id: str) -> CrmEvent:
    """The event about one user as it is sent; its key is the same in each try of a run."""
    from stir.crm_client import CrmEvent

    key = sha256(f"{source.name}|{user.user_id}|{run_id}".encode()).hexdigest()
    return CrmEvent(dumped(source.event(user, datetime.now(UTC))), key, (str(user.user_id), str(user.account_id)))


def dumped(event: Mapping[str, Any]) -> bytes:
    """JSON text; times are UTC and say so."""
    return orjson.dumps(event, default=str, option=orjson.OPT_NAIVE_UTC)


def record(sent: list[tuple[Any, ...]]) -> None:
    """Write the users who got an event to the table of sent events."""
    from stir import warehouse

    head = f"insert into {SENT_EVENTS} (source, user_id, event_name, run_id, sent_at) values"
    warehouse.insert(head, sent, what=f"record in {SENT_EVENTS}")
