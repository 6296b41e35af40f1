"""The scrape-request task as a whole: real ClickHouse for the candidates, a real HTTP server for Beat."""

from __future__ import annotations

import atexit
import gzip
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from misbehaving_beat import ACCEPTED, Answer, MisbehavingBeat
from opentelemetry.metrics import get_meter_provider
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from stir.scrape_request import ScrapeSource
from stir.scrape_request_task import run, send_scrape_requests
from stir.warehouse import WarehouseError

from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES

REQUEST_EVENTS = next(event for event in EVENT_TYPES.values() if event.table == "scrape_request_log_events")
pytestmark = pytest.mark.integration
REFUSED = {"status": {"type": "ERROR", "message": "Something went wrong - queue", "code": 400}}


@pytest.fixture
def source(tmp_path: Path, clickhouse: Any) -> ScrapeSource:
    """Thirty candidates c00 ... c29, no exclusions; Beat has neither accepted nor told anything yet."""
    clickhouse.execute("drop table if exists stir.accepted_requests sync")
    clickhouse.execute("create database if not exists _e")
    clickhouse.execute("drop table if exists _e.scrape_request_log_events sync")
    clickhouse.execute(event_schema.create_table(REQUEST_EVENTS, "_e"))
    file = tmp_path / "thirty.sql"
    file.write_text("select concat('c', leftPad(toString(number), 2, '0')) as shortcode from numbers(30)")
    return ScrapeSource(
        flow="refresh_post_by_shortcode", platform="INSTAGRAM", entity_key=("shortcode",), candidates=file,
        order="shortcode", limit=12, cool_down=None,
    )  # fmt: skip


@pytest.fixture
def beat(
    beat_server: MisbehavingBeat, connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> MisbehavingBeat:
    connection("beat", host=beat_server.url)
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_REQUESTS_PER_SECOND", "500")
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_MAX_PARALLEL", "1")
    return beat_server


def test_it_sends_one_request_per_candidate_in_order_and_counts_them(
    source: ScrapeSource, beat: MisbehavingBeat
) -> None:
    page = run(source, params={})
    assert [body["params"]["shortcode"] for body in beat.bodies] == [f"c{n:02}" for n in range(12)]
    assert (page["candidates"], page["requests"], page["sent"], page["refused"]) == (12, 12, 12, 0)


def test_the_limit_of_a_manual_run_replaces_the_declared_one(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    assert run(source, params={"limit": 3})["sent"] == 3


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    page = run(source, params={"limit": 2, "dry_run": True})
    assert beat.requests == []
    assert page["examples"] == [{"shortcode": "c00"}, {"shortcode": "c01"}]
    assert page["note"] == "dry run: nothing sent"


def test_nothing_to_do_is_a_success_that_says_so(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    source.candidates.write_text("select '' as shortcode from numbers(5)")
    assert run(source, params={})["note"] == "nothing to do: no candidate is due"


def test_an_empty_list_is_told_from_one_whose_entries_wait(
    source: ScrapeSource, beat: MisbehavingBeat, clickhouse: Any
) -> None:
    source.candidates.write_text("select '' as shortcode from numbers(5)")
    listed = ScrapeSource(**{**source.__dict__, "lists": ("lists.by_hand", "lists.by_others")})
    clickhouse.execute("create database lists")
    try:
        for table in listed.lists:
            clickhouse.execute(f"create table {table} (name String) engine = MergeTree order by name")
        assert run(listed, params={})["note"] == "nothing to do: lists.by_hand and lists.by_others hold no entries"
        clickhouse.execute("insert into lists.by_others values ('x')")
        assert run(listed, params={})["note"] == "nothing to do: no candidate is due"
    finally:
        clickhouse.execute("drop database lists sync")


def test_a_few_refusals_are_counted_but_do_not_fail_the_task(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    beat.script = lambda r: Answer(body=REFUSED if r.body["params"]["shortcode"] == "c05" else None)
    page = run(source, params={})
    assert (page["sent"], page["refused"]) == (11, 1)
    assert page["errors"] == ["c05: ERROR 400: Something went wrong - queue"]


def test_too_many_refusals_fail_the_task_with_figures_and_reasons(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    beat.script = lambda r: Answer(body=REFUSED if r.body["params"]["shortcode"] < "c06" else None)
    with pytest.raises(Exception, match=r"6 of 12 .* refused .* 50%, allowed 10%.* 6 were sent.*c00: ERROR 400"):
        run(source, params={})


def test_a_beat_that_refuses_everything_is_left_alone_after_twenty(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    beat.script = lambda _: Answer(body=REFUSED)
    with pytest.raises(Exception, match=r"20 of 20 .* 10 not tried"):
        run(source, params={"limit": 30})
    assert len(beat.requests) == 20


def test_a_wrong_variable_is_named(
    source: ScrapeSource, beat: MisbehavingBeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_ERROR_SHARE", "ten percent")
    with pytest.raises(ValueError, match=r"'beat_error_share' holds 'ten percent'"):
        run(source, params={})


def test_a_query_without_the_declared_column_is_named(source: ScrapeSource) -> None:
    with pytest.raises(ValueError, match=r"thirty.sql: the query returns no column 'shortcode' \(it has code\)"):
        list(source.payloads([{"code": "c00"}]))


def test_the_same_entity_keeps_its_key_within_the_cool_down_and_gets_a_new_one_after_it(source: ScrapeSource) -> None:
    halfday = ScrapeSource(**{**source.__dict__, "cool_down": timedelta(hours=12)})
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    key = halfday.idempotency_key("c00", noon)
    assert key == halfday.idempotency_key("c00", noon + timedelta(hours=11, minutes=59))
    assert key != halfday.idempotency_key("c00", noon + timedelta(hours=12))
    assert key != halfday.idempotency_key("c01", noon)


def test_attempts_that_a_source_allows_within_its_cool_down_have_keys_of_their_own(source: ScrapeSource) -> None:
    def windows(**options: Any) -> int:
        """Different keys of one entity in the 48 half hours of a day."""
        daily = ScrapeSource(**{**source.__dict__, "cool_down": timedelta(days=1), **options})
        midnight = datetime(2026, 3, 1, tzinfo=UTC)
        return len({daily.idempotency_key("c00", midnight + number * timedelta(minutes=30)) for number in range(48)})

    assert windows() == 1
    assert windows(retry_failed_after=timedelta(hours=2)) == 12
    assert windows(attempts_in_cool_down=4) == 24
    assert windows(attempts_in_cool_down=4, cool_down=timedelta(minutes=30)) == 48


def test_a_beat_that_is_down_fails_the_task_and_says_so(source: ScrapeSource, connection: Callable[..., None]) -> None:
    connection("beat", host="http://127.0.0.1:9")
    with pytest.raises(
        AirflowException, match=r"and 1 failed \(share 100%.* 0 were sent.*c00: no reply from Beat: Conn"
    ):
        run(source, params={"limit": 1})


def test_a_slow_beat_is_asked_again_with_the_same_key(
    source: ScrapeSource, beat: MisbehavingBeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_TIMEOUT_SECONDS", "0.3")
    beat.script = [Answer(delay=2)]
    page = run(source, params={"limit": 2})
    assert (page["sent"], page["failed"]) == (2, 0)
    assert [body["params"]["shortcode"] for body in beat.bodies] == ["c00", "c00", "c01"]
    late, again, other = (request.headers["Idempotency-Key"] for request in beat.requests)
    assert late == again != other


def test_a_beat_that_is_always_too_slow_fails_the_task(
    source: ScrapeSource, beat: MisbehavingBeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_TIMEOUT_SECONDS", "0.3")
    beat.script = lambda _: Answer(delay=2)
    with pytest.raises(AirflowException, match=r"c00: no reply from Beat: ReadTimeout"):
        run(source, params={"limit": 1})


def test_a_throttling_beat_is_waited_for(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    beat.script = [Answer(status=429, headers={"Retry-After": "1"}), Answer(status=429, headers={"Retry-After": "0"})]
    page = run(source, params={"limit": 3})
    assert (page["sent"], page["failed"], len(beat.requests)) == (3, 0, 5)
    assert beat.requests[1].at - beat.requests[0].at >= 1


def test_a_beat_that_throttles_for_ever_fails_the_task(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    beat.script = lambda _: Answer(status=429, headers={"Retry-After": "0"})
    with pytest.raises(AirflowException, match=r"and 1 failed .*c00: HTTP 429"):
        run(source, params={"limit": 1})


def test_the_retry_of_a_failed_task_repeats_nothing_that_beat_has_taken(
    source: ScrapeSource, beat: MisbehavingBeat
) -> None:
    class NothingStoredYet(ScrapeSource):
        """Its cool-down sees no event of the first try."""

        def query(self, limit: int) -> str:
            return source.query(limit)

    yearly = NothingStoredYet(**{**source.__dict__, "cool_down": timedelta(days=365)})  # no window ends meanwhile
    beat.script = lambda r: Answer(body=REFUSED if r.body["params"]["shortcode"] < "c06" else None)
    with pytest.raises(AirflowException, match=r"6 of 12"):
        run(yearly, params={})
    first = [request.headers["Idempotency-Key"] for request in beat.requests]
    beat.script = []
    assert run(yearly, params={})["sent"] == 12
    assert [request.headers["Idempotency-Key"] for request in beat.requests[12:]] == first


def test_rows_without_an_entity_are_left_out(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    source.candidates.write_text("select if(number % 2 = 0, null, toString(number)) as shortcode from numbers(6)")
    assert run(source, params={})["sent"] == 3
    assert [body["params"]["shortcode"] for body in beat.bodies] == ["1", "3", "5"]


def test_a_warehouse_that_is_away_is_one_clear_error(source: ScrapeSource, connection: Callable[..., None]) -> None:
    connection("clickhouse_gcc", host="127.0.0.1", port=9, login="stir", password="x")
    with pytest.raises(Exception, match=r"ClickHouse at 127.0.0.1:9 .* does not answer: .*refused"):
        run(source, params={})


# ---- what Beat has accepted


@pytest.fixture
def forgetful(beat: MisbehavingBeat) -> MisbehavingBeat:
    """A Beat without idempotency: each request that it takes gets a new number."""
    numbers = count(1)
    beat.script = lambda _: Answer(body={**ACCEPTED, "scrape_id": next(numbers)})
    return beat


def variant(source: ScrapeSource, **options: Any) -> ScrapeSource:
    return ScrapeSource(**{**source.__dict__, **options})


def told(clickhouse: Any, scrape_id: int, status: str) -> None:
    """An event of Beat that has arrived."""
    clickhouse.execute(
        "insert into _e.scrape_request_log_events (event_id, scl_id, platform, flow, params, status, event_timestamp) "
        f"select 'e', {scrape_id}, platform, flow, params, '{status}', now('UTC') from stir.accepted_requests "
        f"where scl_id = {scrape_id}"
    )


def test_without_events_nobody_is_asked_about_again_before_the_cool_down_is_over(
    source: ScrapeSource, forgetful: MisbehavingBeat, clickhouse: Any
) -> None:
    halfday = variant(source, cool_down=timedelta(hours=12), limit=30)
    assert run(halfday, params={}, run_id="scheduled__1")["sent"] == 30
    assert run(halfday, params={})["note"] == "nothing to do: no candidate is due"
    assert len(forgetful.requests) == 30
    found = clickhouse.execute(
        "select platform, flow, count(), uniqExact(scl_id), any(run_id) from stir.accepted_requests group by 1, 2"
    )
    assert found == [("INSTAGRAM", "refresh_post_by_shortcode", 30, 30, "scheduled__1")]

    clickhouse.execute(
        "insert into stir.accepted_requests select * replace (accepted_at - interval 12 hour as accepted_at) "
        "from stir.accepted_requests where params like '%c0%'"
    )
    clickhouse.execute("alter table stir.accepted_requests delete where params like '%c0%' and accepted_at > now() - 60"
                       " settings mutations_sync = 1")  # fmt: skip
    assert run(halfday, params={})["sent"] == 10


def test_a_backlog_is_seen_without_events_and_shrinks_with_them(
    source: ScrapeSource, forgetful: MisbehavingBeat, clickhouse: Any
) -> None:
    full = variant(source, backlog_limit=12)
    assert run(full, params={})["sent"] == 12
    assert run(full, params={})["note"].startswith("nothing sent: 12 requests of refresh_post_by_shortcode are still")
    told(clickhouse, 3, "PENDING")
    told(clickhouse, 3, "COMPLETE")
    assert run(full, params={})["sent"] == 12
    clickhouse.execute("truncate table stir.accepted_requests")
    assert run(full, params={})["sent"] == 12


def test_what_was_accepted_longer_than_an_hour_ago_is_no_backlog(
    source: ScrapeSource, forgetful: MisbehavingBeat, clickhouse: Any
) -> None:
    full = variant(source, backlog_limit=12)
    run(full, params={})
    clickhouse.execute("create table stir.old as stir.accepted_requests")
    clickhouse.execute(
        "insert into stir.old select * replace (accepted_at - interval 61 minute as accepted_at) "
        "from stir.accepted_requests"
    )
    clickhouse.execute("exchange tables stir.old and stir.accepted_requests")
    clickhouse.execute("drop table stir.old sync")
    assert run(full, params={})["sent"] == 12


def test_what_was_refused_is_asked_again_and_what_was_accepted_is_not(
    source: ScrapeSource, beat: MisbehavingBeat
) -> None:
    halfday = variant(source, cool_down=timedelta(hours=12))
    beat.script = lambda r: Answer(body=REFUSED if r.body["params"]["shortcode"] < "c06" else None)
    with pytest.raises(AirflowException, match="6 of 12"):
        run(halfday, params={})
    beat.script = []
    beat.requests.clear()
    assert run(halfday, params={})["sent"] == 12
    assert [body["params"]["shortcode"] for body in beat.bodies] == [f"c{n:02}" for n in (*range(6), *range(12, 18))]


def test_a_dry_run_counts_as_no_request(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    halfday = variant(source, cool_down=timedelta(hours=12))
    run(halfday, params={"dry_run": True})
    assert run(halfday, params={})["sent"] == 12


def test_a_request_is_recorded_while_the_task_sends_and_when_it_is_cut_off(
    source: ScrapeSource, beat: MisbehavingBeat, clickhouse: Any, left: Any
) -> None:
    beat.script = lambda _: Answer(delay=0.1)
    halfday = variant(source, cool_down=timedelta(hours=12), limit=30)
    with pytest.raises(AirflowTaskTimeout), timeout(2):
        run(halfday, params={}, ti=left)
    asked = len(beat.requests)
    assert 5 < asked < 30
    assert clickhouse.execute("select count() from stir.accepted_requests") == [(asked,)]
    assert (left.page["sent"], left.page["not_tried"]) == (asked, 30 - asked)
    beat.requests.clear()
    assert run(halfday, params={})["sent"] == 30 - asked


def test_without_a_record_nothing_more_is_sent(
    source: ScrapeSource, beat: MisbehavingBeat, clickhouse: Any, monkeypatch: pytest.MonkeyPatch, left: Any
) -> None:
    monkeypatch.setattr("stir.accepted_requests.RECORD_EVERY_SECONDS", 0.0)

    def answer(_: object) -> Answer:
        if len(beat.requests) == 3:
            clickhouse.execute("drop table stir.accepted_requests sync")
        return Answer()

    beat.script = answer
    with pytest.raises(WarehouseError, match=r"record in stir\.accepted_requests"):
        run(variant(source, cool_down=timedelta(hours=12)), params={}, ti=left)
    assert len(beat.requests) == left.page["sent"] == 3
    assert left.page["not_tried"] == 9


# ---- what a run leaves behind


def test_a_run_that_fails_leaves_its_counts(source: ScrapeSource, beat: MisbehavingBeat, left: Any) -> None:
    beat.script = lambda r: Answer(body=REFUSED if r.body["params"]["shortcode"] < "c06" else None)
    with pytest.raises(AirflowException, match="6 of 12"):
        run(source, params={}, ti=left)
    assert {name: left.page[name] for name in ("candidates", "requests", "sent", "refused", "failed", "not_tried")} == {
        "candidates": 12, "requests": 12, "sent": 6, "refused": 6, "failed": 0, "not_tried": 0
    }  # fmt: skip
    assert left.page["errors"][0] == "c00: ERROR 400: Something went wrong - queue"


def test_a_slow_beat_gets_what_the_time_allows_and_the_rest_is_left_to_the_next_run(
    source: ScrapeSource, beat: MisbehavingBeat
) -> None:
    beat.script = lambda _: Answer(delay=0.15)
    halfday = variant(source, cool_down=timedelta(hours=12), limit=30)
    task = send_scrape_requests(halfday)
    task.execution_timeout = timedelta(seconds=2)
    began = time.monotonic()
    with timeout(2):
        page = run(halfday, params={}, task=task)
    assert time.monotonic() - began < 2
    assert 3 < page["sent"] < 15
    assert page["not_tried"] == 30 - page["sent"]
    assert page["note"] == f"the time was up: {page['not_tried']} requests are left to the next run"
    beat.script = []
    assert run(halfday, params={})["sent"] == page["not_tried"]


def test_another_request_with_the_same_key_is_no_refusal(source: ScrapeSource, beat: MisbehavingBeat) -> None:
    """A picture's address is signed anew at each reading, so the same request may come with other params."""
    taken = Answer(status=422, body={"detail": "this Idempotency-Key came before with another request"})
    invalid = Answer(status=422, body={"detail": [{"msg": "field required"}]})
    beat.script = lambda r: {"c00": invalid, "c01": Answer()}.get(r.body["params"]["shortcode"], taken)
    page = run(source, params={})
    assert (page["sent"], page["already_taken"], page["refused"]) == (1, 10, 1)


def test_the_counts_are_metrics_of_airflow(
    source: ScrapeSource, beat: MisbehavingBeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = OpenTelemetryCollector()
    try:
        monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        stats.initialize(factory=get_stats_factory(), export_legacy_names=True)  # as Airflow does for each task
        beat.script = lambda r: Answer(body=REFUSED if r.body["params"]["shortcode"] < "c06" else None)
        with pytest.raises(AirflowException, match="6 of 12"):
            run(source, params={}, dag=DAG("sync_some_posts", schedule=None))
        get_meter_provider().force_flush()
    finally:
        monkeypatch.undo()
        get_meter_provider().shutdown()
        atexit.unregister(flush_otel_metrics)
        stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
        collector.close()
    assert {name: value for name, value in collector.counters.items() if ".stir." in name} == {
        "airflow.stir.sync_some_posts.sent": 6,
        "airflow.stir.sync_some_posts.refused": 6,
    }


class OpenTelemetryCollector:
    """A real HTTP server that takes OTLP metrics and keeps the last value of each counter."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                sent = ExportMetricsServiceRequest.FromString(body)
                for metric in (m for r in sent.resource_metrics for s in r.scope_metrics for m in s.metrics):
                    for point in metric.sum.data_points:
                        collector.counters[metric.name] = int(point.as_int or point.as_double)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep the test's output readable."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
