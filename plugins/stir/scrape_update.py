"""The task that frees scrape requests which hang in PROCESSING: another try for a bounded number of times, then FAILED.

The candidates come from the events in ClickHouse, which say what Beat has told. Before anything is changed each of them
is looked up at Beat: a request that has moved on meanwhile is left alone, and one that Beat does not know, or knows as
something else, shows that events and Beat are of two environments; with many of those nothing is changed at all.
Spec: scrape_flows.md sections 2.2 and 3.4, inventory decision 14.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from stir.run_page import left_behind

if TYPE_CHECKING:
    from stir.beat_client import BeatClient

log = logging.getLogger(__name__)

CONNECTION = "beat"
POOL = "beat"
SHORTEST_AGE = timedelta(minutes=30)
"""No request that is younger may be touched, whatever a declaration or a manual trigger says."""

JUDGED_AFTER = 20
"""So many calls are needed before a run is stopped for its share of errors."""

SHOWN = 20
COUNTED = ("retried", "given_up", "moved_on", "unknown")
ON_FAILURE = """
"Not those of this Beat": connections `beat` and `clickhouse_gcc` point to different environments; nothing was changed.
Beat away or refusing: what hangs goes on hanging, the retries and the next run free it.
"""


@dataclass(frozen=True, kw_only=True)
class StuckRequests:
    """Which requests hang, and how often each may be tried.

    `candidates` is a query file that returns scl_id, flow, platform, params, tries and processing_since of requests
    whose newest event is PROCESSING. One that has been processing for longer than `older_than` hangs. It gets another
    try while it has had fewer than `tries`, and is FAILED then.
    """

    candidates: Path
    older_than: timedelta
    tries: int
    limit: int

    def __post_init__(self) -> None:
        if self.older_than < SHORTEST_AGE:
            raise ValueError(
                f"{self.candidates.name}: older_than must be at least {SHORTEST_AGE}, not {self.older_than}"
            )
        if self.tries < 1 or self.limit < 1:
            raise ValueError(f"{self.candidates.name}: tries and limit must be at least 1")

    def query(self, limit: int, older_than: timedelta) -> str:
        """The whole SELECT: requests that hang, the oldest first, limited."""
        sql = self.candidates.read_text(encoding="utf-8").strip().rstrip(";")
        seconds = int(max(older_than, SHORTEST_AGE).total_seconds())
        return (
            f"with hanging as (\n{sql}\n)\n"
            "select scl_id, flow, platform, params, tries, processing_since\nfrom hanging\n"
            f"where processing_since <= now('UTC') - interval {seconds} second\n"
            f"order by processing_since, scl_id\nlimit {limit}"
        )

    def change(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Body of the update of one request, as Beat reads it: every field is required."""
        return {
            "flow": row["flow"],
            "platform": row["platform"],
            "params": orjson.loads(row["params"]),
            "retry_count": row["tries"] + 1,
            "status": "PENDING" if row["tries"] < self.tries else "FAILED",
        }


def update_params(source: StuckRequests) -> dict[str, Param]:
    """The form of a manual trigger."""
    return {
        "limit": Param(source.limit, type="integer", minimum=1, maximum=source.limit * 10, description="most requests"),
        "older_than_minutes": Param(
            int(source.older_than.total_seconds() // 60),
            type="integer",
            minimum=int(SHORTEST_AGE.total_seconds() // 60),
            description="how long a request must have been processing",
        ),
        "dry_run": Param(False, type="boolean", description="look everything up and change nothing"),
    }


def free_stuck_requests(source: StuckRequests, task_id: str = "free_stuck_requests") -> PythonOperator:
    """Task that frees the requests of one source. XCom: see `run`."""
    return PythonOperator(
        task_id=task_id, python_callable=run, op_kwargs={"source": source}, pool=POOL, show_return_value_in_logs=False
    )


def run(source: StuckRequests, params: Mapping[str, Any], **context: Any) -> dict[str, Any]:
    """Look up, then change. Returns `{candidates, retried, given_up, moved_on, unknown, errors, dry_run, note}`.

    `moved_on` are no longer PROCESSING at Beat, `unknown` are not there or are other requests. Nothing to do is a
    success that says so. A run that fails leaves the same as its XCom. Raises AirflowFailException, with nothing
    changed, when too many are unknown; AirflowException when too many calls fail (what was changed stays changed).
    """
    from airflow.sdk import Connection

    from stir import warehouse
    from stir.beat_client import BeatClient
    from stir.platform_variables import BEAT_ERROR_SHARE, BEAT_RATE, BEAT_TIMEOUT

    limit = int(params.get("limit") or source.limit)
    minutes = params.get("older_than_minutes")
    older_than = timedelta(minutes=int(minutes)) if minutes else source.older_than
    dry_run = bool(params.get("dry_run"))
    rows = warehouse.rows(source.query(limit, older_than), what=source.candidates.name)
    page: dict[str, Any] = {
        "candidates": len(rows), "retried": 0, "given_up": 0, "moved_on": 0, "unknown": 0, "errors": [],
        "dry_run": dry_run, "note": "" if rows else "nothing to do: no request hangs",
    }  # fmt: skip
    if not rows:
        return report(source, page)

    allowed = BEAT_ERROR_SHARE.number()
    address = Connection.get(CONNECTION).host or ""
    with (
        left_behind(context, lambda: page, COUNTED),
        counts_in_the_log(source, page),
        BeatClient(address, timeout=BEAT_TIMEOUT.number(), parallel=1, per_second=BEAT_RATE.number()) as beat,
    ):
        hanging = look_up(beat, rows, page, allowed)
        if page["unknown"] > len(rows) * allowed:
            raise AirflowFailException(
                f"{page['unknown']} of {len(rows)} requests that hang according to the events are not those of this "
                f"Beat ({address}): {'; '.join(page['errors'][:3])}. Do connections {CONNECTION} and "
                f"{warehouse.CONNECTION} belong to the same environment? Nothing was changed"
            )
        if dry_run:
            page["note"] = f"dry run: {len(hanging)} requests hang, nothing changed"
            for row in hanging[:SHOWN]:
                log.info("would set %s to %s", row["scl_id"], orjson.dumps(source.change(row)).decode())
        else:
            free(beat, source, hanging, page, allowed)
    return page


@contextmanager
def counts_in_the_log(source: StuckRequests, page: dict[str, Any]) -> Iterator[None]:
    """Report the page however the block ends."""
    try:
        yield
    finally:
        report(source, page)


def look_up(beat: BeatClient, rows: list[dict[str, Any]], page: dict[str, Any], allowed: float) -> list[dict[str, Any]]:
    """Rows that hang at Beat too; the others are counted in `page`."""
    from stir.beat_client import RefusedError, RetryableReplyError

    hanging, failures = [], 0
    for number, row in enumerate(rows, start=1):
        try:
            found = beat.look_up(row["scl_id"])
        except (RefusedError, RetryableReplyError) as error:
            failures += 1
            page["errors"].append(f"{row['scl_id']}: {error}")
            stop_when_hopeless(failures, number, allowed, page, "looked up", last=number == len(rows))
            continue
        if strange := why_strange(row, found):
            page["unknown"] += 1
            page["errors"].append(f"{row['scl_id']}: {strange}")
        elif found.get("status") != "PROCESSING":
            page["moved_on"] += 1
        else:
            hanging.append(row)
    return hanging


def free(
    beat: BeatClient, source: StuckRequests, rows: list[dict[str, Any]], page: dict[str, Any], allowed: float
) -> None:
    """Change the requests one by one and count them in `page`."""
    from stir.beat_client import RefusedError, RetryableReplyError

    failures = 0
    for number, row in enumerate(rows, start=1):
        change = source.change(row)
        try:
            beat.update(row["scl_id"], change)
        except (RefusedError, RetryableReplyError) as error:
            failures += 1
            page["errors"].append(f"{row['scl_id']}: {error}")
            stop_when_hopeless(failures, number, allowed, page, "updated", last=number == len(rows))
            continue
        page["retried" if change["status"] == "PENDING" else "given_up"] += 1


def stop_when_hopeless(
    failures: int, calls: int, allowed: float, page: Mapping[str, Any], what: str, *, last: bool
) -> None:
    """Raise AirflowException when too many calls have failed: at the end, and before it when most of them do."""
    share = failures / calls
    if (calls >= JUDGED_AFTER and share > max(allowed, 0.5)) or (last and share > allowed):
        raise AirflowException(
            f"{failures} of {calls} requests could not be {what} at Beat (allowed {allowed:.0%}); retried "
            f"{page['retried']}, given up {page['given_up']}. First errors: {'; '.join(page['errors'][:3])}"
        )


def why_strange(row: Mapping[str, Any], found: Mapping[str, Any] | None) -> str:
    """Why the request that Beat holds is not the one that the events tell of; empty when it is."""
    if found is None:
        return "no such request"
    try:
        told = orjson.loads(row["params"])
    except orjson.JSONDecodeError:
        return "the params of its event are no JSON"
    params = found.get("params")
    params = orjson.loads(params) if isinstance(params, str) else params
    same = (found.get("flow"), found.get("platform"), params) == (row["flow"], row["platform"], told)
    return "" if same else "another request"


def report(source: StuckRequests, page: dict[str, Any]) -> dict[str, Any]:
    """Counts as one log line and as the XCom page, with the first few errors."""
    page["errors"] = page["errors"][:SHOWN]
    log.info(
        "%s: %d hang, %d retried, %d given up, %d have moved on, %d unknown%s", source.candidates.stem,
        page["candidates"], page["retried"], page["given_up"], page["moved_on"], page["unknown"],
        f" ({page['note']})" if page["note"] else "",
    )  # fmt: skip
    return page
