"""The task of a scrape-request DAG: pick candidates, send their requests, count what became of them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException

from stir.run_page import left_behind

if TYPE_CHECKING:
    from stir.beat_client import Outcome, ScrapeRequest
    from stir.scrape_request import ScrapeSource

log = logging.getLogger(__name__)

CONNECTION = "beat"
POOL = "beat"
BULK_POOL = "beat_bulk"
SHOWN_IN_DRY_RUN = 20
JUDGED_AFTER = 20
"""So many answers are needed before a run is stopped for its share of errors."""

COUNTED = ("sent", "already_taken", "refused", "failed", "not_tried")
SENDING_SHARE_OF_LIMIT = 0.85
"""A task stops sending after this share of its time limit: what is in flight then has time to end."""

ON_FAILURE = """
The error says how many requests were sent, refused and failed, with the first few reasons. Beat away or throttling:
nothing to do, the retries and the next run ask again, leaving out what Beat has accepted. ClickHouse away
or a table missing: run the tier that builds it. Many refusals: the payload no longer fits the flow;
compare one with a manual run whose `dry_run` is set.
"""


def request_params(source: ScrapeSource) -> dict[str, Param]:
    """The form of a manual trigger."""
    return {
        "limit": Param(
            source.limit,
            type="integer",
            minimum=1,
            maximum=source.limit * 10,
            description="most entities asked for in one run",
        ),
        "dry_run": Param(False, type="boolean", description="show what would be sent and send nothing"),
    }


def send_scrape_requests(source: ScrapeSource, task_id: str = "send_requests", pool: str = POOL) -> PythonOperator:
    """Task that sends the scrape requests of one source, whose rules it adds to the page of the DAG. XCom: see `run`.

    `pool`: thousands of requests that take long to send belong into BULK_POOL, where they hold up nobody.
    """
    task = PythonOperator(
        task_id=task_id, python_callable=run, op_kwargs={"source": source}, pool=pool, show_return_value_in_logs=False
    )
    if task.has_dag():
        task.dag.doc_md = f"{task.dag.doc_md}\n\n**Whom it asks about.** {source.rules()}"
    return task


def run(source: ScrapeSource, params: Mapping[str, Any], run_id: str = "", **context: Any) -> dict[str, Any]:
    """Pick, send, count. Returns `{candidates, requests, sent, already_taken, refused, failed, not_tried, seconds,
    errors, dry_run, note}`; a run that fails after it began to send leaves the same as its XCom.

    Nothing to do is a success that says so; a full backlog at Beat too, and a Beat so slow that the task's time is up
    before all is sent. Raises AirflowException when the share of refused and failed requests is above Variable
    `beat_error_share`; what was sent stays sent, and is recorded, so that a retry leaves it out. Raises WarehouseError
    when ClickHouse cannot be asked or takes no record: then nothing more is sent.
    """
    from stir import warehouse
    from stir.accepted_requests import create_table
    from stir.beat_client import Outcome, ScrapeRequest

    until = time.monotonic() + sending_seconds(context)
    limit, dry_run = int(params.get("limit") or source.limit), bool(params.get("dry_run"))
    name = source.candidates.name
    create_table()
    if source.backlog_limit is not None:
        waiting = warehouse.rows(source.backlog_sql(), what=f"backlog of {source.flow}")[0]["waiting"]
        if waiting >= source.backlog_limit:
            note = f"{waiting} requests of {source.flow} are still waiting at Beat (limit {source.backlog_limit})"
            return report(source, 0, 0, Outcome(), dry_run, f"nothing sent: {note}")

    rows = warehouse.rows(source.query(limit), what=name)
    now = datetime.now(UTC)
    requests = [
        ScrapeRequest(source.flow, source.platform, payload, entity, source.idempotency_key(entity, now))
        for entity, payload in source.payloads(rows)
    ]
    if not requests:
        return report(source, 0, 0, Outcome(), dry_run, nothing_to_do(source))
    if dry_run:
        for request in requests[:SHOWN_IN_DRY_RUN]:
            log.info("would send %s", request.body().decode())
        result = report(
            source, len(rows), len(requests), Outcome(not_tried=len(requests)), True, "dry run: nothing sent"
        )
        return {**result, "examples": [dict(request.params) for request in requests[:SHOWN_IN_DRY_RUN]]}

    outcome, page = Outcome(), {}
    with left_behind(context, lambda: page, COUNTED):
        try:
            allowed = send(requests, outcome, run_id, until)
        finally:
            late = outcome.not_tried > 0 and time.monotonic() >= until
            note = f"the time was up: {outcome.not_tried} requests are left to the next run" if late else ""
            page.update(report(source, len(rows), len(requests), outcome, False, note))
        if outcome.error_share > allowed:
            raise AirflowException(
                f"{outcome.refused} of {outcome.tried} requests of {source.flow} were refused and {outcome.failed} "
                f"failed (share {outcome.error_share:.0%}, allowed {allowed:.0%}), {outcome.sent} were sent, "
                f"{outcome.not_tried} not tried. First errors: {'; '.join(outcome.errors[:3])}"
            )
    return page


def sending_seconds(context: Mapping[str, Any]) -> float:
    """How long the task of this context may send."""
    limit = getattr(context.get("task"), "execution_timeout", None)
    return limit.total_seconds() * SENDING_SHARE_OF_LIMIT if limit else math.inf


def nothing_to_do(source: ScrapeSource) -> str:
    """Why there is nothing to do: an empty list is told from one whose entries were all asked for lately."""
    from stir import warehouse

    if source.lists:
        counts = " union all ".join(f"select count() as entries from {table}" for table in source.lists)  # noqa: S608
        if not any(row["entries"] for row in warehouse.rows(counts, what=f"length of {' and '.join(source.lists)}")):
            return f"nothing to do: {' and '.join(source.lists)} hold no entries"
    return "nothing to do: no candidate is due"


def send(requests: list[ScrapeRequest], outcome: Outcome, run_id: str, until: float) -> float:
    """Send requests through connection `beat`, within the platform's limits, until the clock (`time.monotonic`) says
    `until`; counts them in `outcome`, records the accepted ones, and returns the error share allowed.
    """
    from airflow.sdk import Connection

    from stir.accepted_requests import AcceptedRequests
    from stir.beat_client import BeatClient
    from stir.platform_variables import BEAT_ERROR_SHARE, BEAT_PARALLEL, BEAT_RATE, BEAT_TIMEOUT

    allowed = BEAT_ERROR_SHARE.number()
    accepted = AcceptedRequests(run_id)

    def hopeless(so_far: Outcome) -> bool:
        accepted.write_when_due()
        return so_far.tried >= JUDGED_AFTER and so_far.error_share > max(allowed, 0.5)

    with BeatClient(
        Connection.get(CONNECTION).host or "",
        timeout=BEAT_TIMEOUT.number(),
        parallel=int(BEAT_PARALLEL.number()),
        per_second=BEAT_RATE.number(),
    ) as beat:
        try:
            beat.create_all(requests, may_stop=hopeless, accepted=accepted.add, until=until, outcome=outcome)
        finally:
            accepted.write()
    return allowed


def report(
    source: ScrapeSource, candidates: int, requests: int, outcome: Outcome, dry_run: bool, note: str
) -> dict[str, Any]:
    """Counts as one log line and as the XCom page."""
    page = {"candidates": candidates, "requests": requests, **outcome.as_dict(), "dry_run": dry_run, "note": note}
    log.info(
        "%s: %d candidates, %d requests: %d sent, %d already taken, %d refused, %d failed, %d not tried in %.1f s%s",
        source.flow, candidates, requests, outcome.sent, outcome.already_taken, outcome.refused, outcome.failed,
        outcome.not_tried, outcome.seconds, f" ({note})" if note else "",
    )  # fmt: skip
    return page
