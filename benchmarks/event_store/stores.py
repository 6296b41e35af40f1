"""The stores that are compared: each makes its table, loads it, tells its size, and answers questions."""

# ruff: noqa: S608 -- SQL is built from constants

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.event_store.cost import Cost
from benchmarks.event_store.events import COLUMNS, EVENT, columns
from benchmarks.event_store.questions import Question
from devstack.services import ClickHouseService, PostgresService
from devstack.services.base import Service
from event_sinker.claim import Claim
from event_sinker.schema import create_database, create_table
from event_sinker.settings import Settings
from event_sinker.writer import Writer, connect

POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "max_parallel_workers_per_gather": "2",
    "random_page_cost": "1.1",
}
SHOWN_SETTINGS = (*POSTGRES_SETTINGS, "synchronous_commit", "full_page_writes", "wal_level", "autovacuum", "jit")


class ClickHouseStore:
    """The event table in one database, as the sinker makes and fills it."""

    name, way = "clickhouse", "blocks"

    def __init__(self, service: ClickHouseService, database: str = "_e") -> None:
        self.service, self.database, self.table = service, database, f"{database}.{EVENT.table}"
        here = service.endpoint
        self.settings = Settings(
            clickhouse_host=here.host,
            clickhouse_http_port=here.http_port,
            clickhouse_user=here.user,
            clickhouse_password=here.password,
            clickhouse_database=database,
            insert_timeout_seconds=600,
        )
        self.connect()
        self.client.command(create_database(database))
        self.client.command(create_table(EVENT, database))

    def connect(self) -> None:
        self.client = connect(self.settings)

    def run(self, statement: str, parameters: dict | None = None) -> list[tuple]:
        return self.client.query(statement, parameters).result_rows

    def load(self, source: Iterator[list[str]]) -> Cost:
        """Write the blocks and wait for the merges, which are part of the cost. `unmerged`: the parts before."""
        writer, random, claim = Writer(EVENT, self.settings), np.random.default_rng(1), Claim()
        with Cost(self.service) as cost:
            for lines in source:
                batch = random.bytes(8).hex()
                when, arrived, *texts = zip(*(line[:-1].split("\t") for line in lines), strict=True)
                fields = dict(zip(COLUMNS, texts, strict=True)) | {"event_timestamp": map(int, when)}
                fields |= {"insert_timestamp": map(int, arrived), "ingest_batch_id": [batch] * len(lines)}
                rows = list(zip(*(fields[name] for name in EVENT.column_names), strict=True))
                cost.time(len(rows), lambda rows=rows, batch=batch: writer.write(batch, rows, claim))
            self.unmerged = self.state()
            self.settle()
        return cost

    def settle(self) -> None:
        """Return when nothing has been merged for five seconds."""
        calm, known = time.monotonic(), ""
        while time.monotonic() - calm < 5:
            now = self.state()
            if now != known or self.run("SELECT count() FROM system.merges")[0][0]:
                calm, known = time.monotonic(), now
            time.sleep(1)

    def parts(self, source: str = "parts") -> str:
        return f"system.{source} WHERE active AND database = '{self.database}' AND table = '{EVENT.table}'"

    def state(self) -> str:
        parts, size = self.run(f"SELECT count(), sum(bytes_on_disk) FROM {self.parts()}")[0]
        return f"{parts} parts, {size / 1e6:,.1f} MB"

    def sizes(self) -> tuple[float, float]:
        """MB of everything, and of marks and primary key alone."""
        keys = "sum(marks_bytes) + sum(primary_key_size)"
        return self.run(f"SELECT sum(bytes_on_disk) / 1e6, ({keys}) / 1e6 FROM {self.parts()}")[0]

    def answer(self, question: Question, parameters: dict[str, str]) -> list[tuple]:
        return self.run(question.clickhouse.format(table=self.table), parameters)


class PostgresStore:
    """One log table with its second index."""

    way = "COPY"

    def __init__(self, name: str, service: PostgresService, index: str) -> None:
        self.name, self.service, self.table = name, service, f"profile_log_{name[-1]}"
        self.connect()
        self.run(
            f"CREATE TABLE {self.table} (id bigserial PRIMARY KEY, event_id uuid, platform text, profile_id text, "
            "handle text, source text, event_timestamp timestamp, metrics jsonb, dimensions jsonb); "
            f"CREATE INDEX ON {self.table} ({index})"
        )

    def connect(self) -> None:
        self.connection = self.service.connection()
        self.connection.autocommit = True

    def run(self, statement: str, parameters: Sequence | dict | None = None) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def load(self, source: Iterator[list[str]]) -> Cost:
        """COPY each block in a transaction of its own. A last checkpoint belongs to the cost, VACUUM does not."""
        with Cost(self.service) as cost, self.connection.cursor() as cursor:
            for lines in source:
                text, copy = "".join(map(columns, lines)), f"COPY {self.table} ({', '.join(COLUMNS)}) FROM STDIN"
                cost.time(len(lines), lambda text=text, copy=copy: cursor.copy_expert(copy, io.BytesIO(text.encode())))
            as_superuser(self.service, "CHECKPOINT")
        self.run(f"VACUUM (ANALYZE) {self.table}")
        as_superuser(self.service, "CHECKPOINT")
        return cost

    def insert_one_by_one(self, lines: list[str], synchronous_commit: str) -> Cost:
        """The replaced write path: a statement and a commit for each event."""
        self.run(f"SET synchronous_commit = {synchronous_commit}")
        insert = f"INSERT INTO {self.table} ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
        with Cost(self.service) as cost, self.connection.cursor() as cursor:
            for line in lines:
                values = columns(line)[:-1].split("\t")
                cost.time(1, lambda values=values: cursor.execute(insert, values))
        self.run("SET synchronous_commit = on")
        return cost

    def sizes(self) -> tuple[float, float]:
        """MB of everything, and of the indexes alone."""
        size = "pg_total_relation_size('{0}') / 1e6::float, pg_indexes_size('{0}') / 1e6::float"
        return self.run(f"SELECT {size.format(self.table)}")[0]

    def answer(self, question: Question, parameters: dict[str, str]) -> list[tuple]:
        statement = (self.name == "postgres b" and question.postgres_b) or question.postgres
        return self.run(statement.format(table=self.table), parameters)


def as_superuser(service: PostgresService, *statements: str) -> None:
    admin = service.superuser_connection()
    admin.autocommit = True
    with admin.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    admin.close()


def restart(service: Service) -> None:
    service.stop()
    service.start()
    service.wait_ready()


Store = ClickHouseStore | PostgresStore
