"""A load by two sessions side by side: what one of them meets ends both, and leaves nothing. Cases 33 and 39.

A process reads the live table all the while (`live`).
"""

from __future__ import annotations

import copy
import os
import signal
from contextlib import closing, contextmanager, suppress

import pytest
from airflow.sdk.execution_time.timeout import timeout
from stir.serving import swap

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("split_small")]

SESSIONS = "pg_stat_activity where datname = current_database() and application_name like 'stir:leaderboard:load%'"


def fetched_run(live, rows=300):
    """A run whose file lies on the database host in two parts."""
    live.fill(rows)
    ti = live.run(until="fetch")
    assert [path.read_bytes().count(b"\n") for path in live.fetched_parts(ti)] == [rows // 2, rows // 2]
    assert not live.fetched(ti).exists()
    return ti


def tables_left(live, ti):
    """Tables that the run has made."""
    return {table for table in live.tables() if table.endswith(live.names(ti).digest)}


def test_bad_line_in_one_part_is_named_and_nothing_stays(live):
    ti = fetched_run(live)
    path = live.fetched_parts(ti)[1]
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    lines[6] = lines[6].replace(b"INSTAGRAM\t", b"INSTAGRAM\tone field more\t", 1)
    path.write_bytes(b"".join(lines))
    with pytest.raises(Exception, match=r"part 2 of 2: (?s:.*)COPY leaderboard_raw_\w+, line 7"):
        live.step("load", ti)
    assert tables_left(live, ti) == set()
    assert live.rows() == 100
    path.write_bytes(content)
    live.run(ti, after="fetch")
    assert live.rows() == 300


def test_part_that_is_gone_is_named_and_nothing_stays(live):
    ti = fetched_run(live)
    live.fetched_parts(ti)[0].unlink()
    with pytest.raises(Exception, match=r"part 1 of 2: .*1of2.*No such file"):
        live.step("load", ti)
    assert tables_left(live, ti) == set()


def test_session_killed_in_mid_copy_leaves_nothing_then_retry(live):
    """Case 33: one session reads from a pipe and is ended there; the other may have committed its part by then."""
    ti = fetched_run(live, 6000)
    path = live.fetched_parts(ti)[1]
    content = path.read_bytes()
    first, rest = content[: len(content) // 2], content[len(content) // 2 :]
    assert len(first) > 100_000, "PostgreSQL reads 64 KiB before it looks at a line"
    path.unlink()
    os.mkfifo(path)
    path.chmod(0o644)
    loading, failures = live.attempt("load", ti)
    second = f"{SESSIONS} and application_name like '%load 2'"
    with path.open("wb", buffering=0) as pipe:
        pipe.write(first)
        copying = "pid in (select pid from pg_stat_progress_copy where tuples_processed > 0)"
        live.wait_for(f"select 1 from {second} and {copying}")
        assert live.query(f"select pg_terminate_backend(pid) from {second}") == [(True,)]
        with suppress(BrokenPipeError):
            pipe.write(rest)
    loading.join(60)
    assert len(failures) == 1 and "part 2 of 2: " in str(failures[0]) and "terminat" in str(failures[0])
    assert tables_left(live, ti) == set()
    assert live.rows() == 100
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o644)
    live.run(ti, after="fetch")
    assert live.rows() == 6000


@contextmanager
def sessions_stand_still(live):
    """Each session that loads a part waits in its transaction, where it can be cancelled, until the given function is
    called or the block ends.
    """
    with closing(live.postgres.superuser_connection(live.database)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute("select pg_advisory_lock(1)")
        cursor.execute(
            "create function hold() returns event_trigger language plpgsql as $$ begin "
            "if current_query() ~ 'create temporary table' then perform pg_advisory_xact_lock_shared(1); end if; "
            "end $$; "
            "create event trigger hold on ddl_command_start when tag in ('CREATE TABLE') execute function hold()"
        )
        yield lambda: cursor.execute("select pg_advisory_unlock_all()")
        cursor.execute("drop event trigger hold; drop function hold()")


def wait_until_they_stand_still(live):
    live.wait_for(f"select 1 from {SESSIONS} and wait_event = 'advisory' having count(*) = 2")


@contextmanager
def worker_in_mid_load(live, ti):
    """Process id of a worker that runs the load as Airflow's task runner does, when all its sessions are busy."""
    task = copy.copy(live.dag.get_task("load"))
    context = {"ti": ti, "task_instance": ti, "dag": live.dag, "run_id": ti.run_id}
    worker = os.fork()
    if not worker:
        try:
            signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
            with timeout(3600):
                task.render_template_fields(context)
                task.execute(context)
            os._exit(0)
        except BaseException:
            os._exit(1)
    try:
        wait_until_they_stand_still(live)
        yield worker
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize(
    "sent", [signal.SIGTERM, signal.SIGALRM, signal.SIGKILL], ids=["task ended", "time limit", "worker killed"]
)
def test_worker_that_is_ended_ends_its_sessions_then_retry(live, monkeypatch, sent):
    """Airflow ends a task by SIGTERM, and by SIGALRM at its time limit. A worker that is killed cleans nothing: the
    server notices and ends the sessions, and the next try drops the table.
    """
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", "JSONEachRow")
    ti = fetched_run(live)
    with sessions_stand_still(live):
        with worker_in_mid_load(live, ti) as worker:
            table = live.names(ti).staged_table
            assert tables_left(live, ti) == {table}
            os.kill(worker, sent)
            _, status = os.waitpid(worker, 0)
        if sent == signal.SIGKILL:
            assert os.WIFSIGNALED(status)
            assert tables_left(live, ti) == {table}
        else:
            assert os.WEXITSTATUS(status) == 1
            assert tables_left(live, ti) == set()
        live.wait_for(f"select 1 from {SESSIONS} having count(*) = 0")
    assert live.rows() == 100
    live.run(ti, after="fetch")
    assert live.rows() == 300


def test_other_writers_are_kept_out_until_the_last_part(live, monkeypatch):
    """Case 39: in either direction; and a load that could not begin drops nothing."""
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", "JSONEachRow")
    ti = fetched_run(live)
    with closing(live.connect()) as other, other.cursor() as cursor:
        cursor.execute(swap.one_writer(live.target))
        with pytest.raises(Exception, match="another run is writing leaderboard right now"):
            live.step("load", ti)
        other.rollback()
        with sessions_stand_still(live), worker_in_mid_load(live, ti) as worker:
            with pytest.raises(Exception, match="another run is writing leaderboard right now"):
                cursor.execute(swap.one_writer(live.target))
            other.rollback()
            with pytest.raises(Exception, match="another run is writing leaderboard right now"):
                live.step("load", ti)
            assert tables_left(live, ti) == {live.names(ti).staged_table}
            os.kill(worker, signal.SIGTERM)
            os.waitpid(worker, 0)


def test_failure_of_one_session_ends_the_other(live, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", "JSONEachRow")
    ti = fetched_run(live)
    with sessions_stand_still(live):
        loading, failures = live.attempt("load", ti)
        wait_until_they_stand_still(live)
        live.query(f"select pg_terminate_backend(pid) from {SESSIONS} and application_name like '%load 1'")
        loading.join(60)
        live.wait_for(f"select 1 from {SESSIONS} having count(*) = 0")
    assert len(failures) == 1 and "part 1 of 2: " in str(failures[0])
    assert tables_left(live, ti) == set()


def test_session_with_the_lock_lost_fails_the_load(live, monkeypatch):
    """Another run might have written meanwhile."""
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", "JSONEachRow")
    ti = fetched_run(live)
    with sessions_stand_still(live) as go_on:
        loading, failures = live.attempt("load", ti)
        wait_until_they_stand_still(live)
        held = f"select pg_terminate_backend(pid, 10000) from {SESSIONS} and state = 'idle in transaction'"
        assert live.query(held) == [(True,)]
        go_on()
        loading.join(60)
    assert len(failures) == 1
    assert tables_left(live, ti) == set()
    assert live.rows() == 100
    live.run(ti, after="fetch")


def test_clean_up_removes_the_parts(live):
    ti = fetched_run(live)
    other = live.folder / "leaderboard.prod.manual__another.try1.tsv.1of2"
    other.write_text("x")
    try:
        live.step("clean_host", ti)
        assert not any(path.exists() for path in live.fetched_parts(ti))
        assert other.exists(), "another run's, and young"
        os.utime(other, (0, 0))
        live.step("clean_host", ti)
        assert not other.exists()
    finally:
        other.unlink(missing_ok=True)


def test_number_of_parts_is_what_the_manifest_says_whatever_the_variable_says_by_now(live, monkeypatch):
    live.fill(300)
    ti = live.run(until="manifest")
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", "1")
    live.run(ti, after="manifest", until="fetch")
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", "5")
    live.run(ti, after="fetch")
    assert ti.results["manifest"]["parts"] == 2
    assert live.rows() == 300


def test_one_row_takes_one_session(publishing):
    publishing.fill(1)
    ti = publishing.run()
    assert ti.results["manifest"]["parts"] == 1
    assert publishing.rows() == 1


def test_statements_of_all_sessions_are_shown_and_logged(live, caplog):
    caplog.set_level("INFO")
    ti = fetched_run(live)
    live.step("load", ti)
    shown = live.dag.user_defined_macros["publication"].load_sql(ti)
    for path in live.fetched_parts(ti):
        copied = f"from '{path}' with (format text, encoding 'UTF8')"
        assert copied in shown
        assert copied in caplog.text
