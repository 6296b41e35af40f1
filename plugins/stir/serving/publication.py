"""One target in one environment: what each task of its DAG runs.

The operators get their SQL and commands by template (`{{ publication.load_sql(ti) }}`), so that nothing is built while
DAGs are parsed and the UI shows what ran.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from stir.serving import export, fetch, freshness, guards, indexes, ledger, leftovers, load, manifest, sums, swap
from stir.serving.database import connect
from stir.serving.declaration import Target
from stir.serving.export import StagingFormat
from stir.serving.freshness import Freshness
from stir.serving.ledger import LedgerEntry
from stir.serving.load_sessions import LoadInSessions
from stir.serving.manifest import Manifest
from stir.serving.naming import Environment, RunNames, part_names
from stir.serving.settings import ServingSettings

if TYPE_CHECKING:
    import psycopg2.extensions

log = logging.getLogger(__name__)

EXPORT, MANIFEST, GUARD = "export", "manifest", "guard"
"""Ids of the tasks whose results later tasks read."""


@dataclass(frozen=True)
class Publication:
    """Methods take `ti`, the task instance: its dag_id, run_id and try_number make the names, its XComs carry the
    manifest.
    """

    target: Target
    environment: Environment

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", self.target.in_environment(self.environment.name))

    def names(self, ti: Any) -> RunNames:
        return RunNames(self.target, self.environment, ti.dag_id, ti.run_id)

    # SQL and commands, rendered into operators

    def export_sql(self, ti: Any) -> str:
        settings = ServingSettings.from_variables()
        return export.export_statement(self.target, self._new_key(ti, settings), settings.staging_format)

    def note_build_sql(self) -> str:
        return export.note_build_statement(self.target, sums.exported_sums(self.target))

    def source_state_sql(self, ti: Any) -> str:
        return export.source_state_statement(self.target, self._new_key(ti, ServingSettings.from_variables()))

    def fetch_command(self, ti: Any) -> str:
        settings, taken = ServingSettings.from_variables(), self._manifest(ti)
        name = self.names(ti).file_name(taken.key)
        limit = self.target.limits.fetch
        return fetch.fetch_command(taken, settings.bucket, settings.fetch_directory, name, ti.try_number, limit)

    def load_sql(self, ti: Any) -> str:
        """What the load runs: one transaction, or all of those that `load_in_sessions` runs."""
        return "\n\n".join(self._load_transactions(ti))

    def enrichment_sql(self, ti: Any) -> str:
        return load.enrichment_statements(self.names(ti))

    def index_sql(self, ti: Any) -> str:
        return indexes.index_statements(self.names(ti))

    def clean_up_command(self, ti: Any) -> str:
        settings = ServingSettings.from_variables()
        return fetch.clean_up_command(
            self.target,
            self.environment,
            bucket=settings.bucket,
            prefix=settings.prefix,
            folder=settings.fetch_directory,
            digest=self.names(ti).digest,
            older_than_minutes=self.target.limits.abandoned // 60,
        )

    # Python steps

    def freshness(self, *, by_hand: bool, grace: timedelta) -> Freshness:
        """Whether the mart is worth publishing now."""
        with closing(self.connect("freshness")) as connection:
            return freshness.look(self.target, self.clickhouse_query, connection, by_hand=by_hand, grace=grace)

    def take_manifest(self, ti: Any) -> dict[str, Any]:
        """Read the exported object back. Returns the manifest for the tasks that follow."""
        exported = ti.xcom_pull(task_ids=EXPORT)[0]
        taken = manifest.take_manifest(self.target, exported, self.clickhouse_query)
        parts = load.parts_of(taken.rows, ServingSettings.from_variables().load_sessions)
        return replace(taken, parts=parts).as_dict()

    def load_in_sessions(self, ti: Any) -> LoadInSessions | None:
        """The load of a file that was fetched in several parts; None for a file in one."""
        create, *parts = self._load_transactions(ti)
        if not parts:
            return None
        limited = partial(self.connect, statement_seconds=self.target.limits.load)
        return LoadInSessions(self.names(ti), create, parts, limited)

    def check_guards(self, ti: Any) -> dict[str, Any]:
        """Run the guards; returns what they measured."""
        with closing(self.connect("guard", statement_seconds=self.target.limits.load)) as connection:
            return guards.check(connection, self.names(ti), self._manifest(ti))

    def swap(self, ti: Any) -> dict[str, Any]:
        """Put the new generation live, with its ledger row."""
        names, taken, measured = self.names(ti), self._manifest(ti), ti.xcom_pull(task_ids=GUARD)
        entry = LedgerEntry(
            target=self.target.name,
            environment=self.environment.name,
            action=ledger.PUBLISH,
            dag_id=names.dag_id,
            run_id=names.run_id,
            mart_built_at=ledger.instant(taken.built_at),
            mart_build=taken.build,
            newest_event_at=ledger.instant(taken.newest_event_at),
            rows=measured["rows"],
            bytes=taken.bytes,
            checksum=taken.checksum,
            object_key=taken.key,
            cleaned_values=taken.cleaned_values,
            guards=measured,
            hops={
                "object": {"rows": taken.rows, "bytes": taken.bytes, "text_bytes": taken.text_bytes},
                "staged": {"rows": measured["rows"] + measured.get("left_out", 0)},
                "table": {"rows": measured["rows"]},
            },
        )
        with closing(self.connect("swap", statement_seconds=self.target.limits.swap)) as connection:
            outcome = swap.publish(connection, names, entry, patience=self.target.limits.swap)
        return {"attempts": outcome.attempts, "locked_ms": round(outcome.locked_ms, 1)}

    def record_seconds(self, ti: Any, seconds: dict[str, float]) -> None:
        """Complete the ledger row of this run with the duration of each step."""
        with closing(self.connect("ledger")) as connection, connection, connection.cursor() as cursor:
            ledger.add_seconds(cursor, self.target.name, ti.dag_id, ti.run_id, seconds)

    def note_refusal(self, ti: Any, step: str, reason: str) -> None:
        """Write down why this run publishes nothing. What keeps it from being written is logged and changes nothing."""
        import psycopg2

        names = self.names(ti)
        where = (self.target.name, self.environment.name, names.dag_id, names.run_id)
        try:
            with closing(self.connect("refusal")) as connection, connection, connection.cursor() as cursor:
                ledger.note_refusal(cursor, *where, step, reason)
        except psycopg2.Error as error:
            log.warning("the refusal could not be written down: %s", str(error).strip())

    def drop_leftovers(self, ti: Any) -> list[str]:
        """Drop this run's working tables, if they still exist, and those of crashed runs."""
        with closing(self.connect("clean-up")) as connection:
            return leftovers.drop_leftovers(connection, self.names(ti))

    # Connections

    def clickhouse_query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of one ClickHouse statement."""
        from airflow_clickhouse_plugin.hooks.clickhouse import ClickHouseHook

        limit = {"max_execution_time": self.target.limits.export, "session_timezone": "UTC"}
        return ClickHouseHook(clickhouse_conn_id=self.environment.clickhouse).execute(statement, settings=limit)

    def connect(self, step: str, *, statement_seconds: int = 0) -> psycopg2.extensions.connection:
        """Connection to the serving database, time zone UTC."""
        return connect(self.environment, f"{self.target.name}:{step}", statement_seconds=statement_seconds)

    def _load_transactions(self, ti: Any) -> list[str]:
        taken, names, folder = self._manifest(ti), self.names(ti), ServingSettings.from_variables().fetch_directory
        paths = [f"{folder}/{name}" for name in part_names(names.file_name(taken.key), taken.parts)]
        return load.load_transactions(names, paths, _format_of(taken.key))

    def _new_key(self, ti: Any, settings: ServingSettings) -> str:
        return self.names(ti).object_key(settings.prefix, ti.try_number, settings.staging_format)

    def _manifest(self, ti: Any) -> Manifest:
        values = ti.xcom_pull(task_ids=MANIFEST)
        if values is None:
            raise ValueError(f"run {ti.run_id} of {ti.dag_id} has no manifest: clear it from the task {EXPORT!r}")
        return Manifest.from_dict(values)


def _format_of(key: str) -> StagingFormat:
    """The format in which an object was written, whatever the Variable says by now."""
    return next(each for each in StagingFormat if key.endswith("." + each.extension))
