"""Reading the scraper's log tables in PostgreSQL, in sessions that cannot write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from event_sinker.errors import SinkerError
from event_sinker.parity.facts import SECONDS_PER_DAY, Entity, Fact, LogTable, Tally, Window
from event_sinker.parity.settings import PostgresSettings

_FETCHED_ROWS = 5_000  # per round trip of a server-side cursor

_TALLIES = """
SELECT day, platform, sum(facts)::bigint, count(*)
FROM (
    SELECT day, {entity_names}, count(*) AS facts
    FROM (SELECT "timestamp"::date AS day, {entity} FROM {table} WHERE {within}) AS logged
    GROUP BY day, {entity_names}
) AS per_entity
GROUP BY day, platform
"""
_NEAR_MIDNIGHT = """
SELECT second, {entity_names}
FROM (
    SELECT floor(extract(epoch FROM "timestamp"))::bigint AS second, {entity} FROM {table} WHERE {within}
) AS logged
WHERE mod(second, %(day)s) < %(reach)s OR mod(second, %(day)s) >= %(day)s - %(reach)s
ORDER BY second
"""
# The same hash as ClickHouse's: MD5 of the UTF-8 bytes, in hexadecimal digits that sort as bytes.
_ENTITIES = """
SELECT md5(convert_to(concat_ws(chr(31), %(seed)s, {entity_names}), 'UTF8')) COLLATE "C" AS draw, {entity_names}
FROM (SELECT DISTINCT {entity} FROM {table} WHERE {within}) AS entities
ORDER BY draw LIMIT %(number)s
"""
_FACTS = """
SELECT id::text, extract(epoch FROM "timestamp")::float8, {entity}, {texts}, {documents}
FROM {table} WHERE {within} AND {wanted}
"""


@contextmanager
def open_log(settings: PostgresSettings, name: str, table: LogTable) -> Iterator[PostgresLog]:
    """The log table `name` (may be schema-qualified), for as long as the block runs.

    Raises:
        SinkerError: the server cannot be reached, the table or a right is missing, or a query takes too long.
    """
    try:
        connection = connect(settings)
        try:
            log = PostgresLog(connection, name, table)
            log.require_columns(settings)
            yield log
        finally:
            connection.close()
    except psycopg2.errors.QueryCanceled:
        raise SinkerError(
            f"PostgreSQL at {settings.address}: a query on {name} took longer than "
            f"{settings.statement_timeout_seconds} s: compare fewer days, "
            "or raise SINKER_PARITY_POSTGRES_STATEMENT_TIMEOUT_SECONDS"
        ) from None
    except psycopg2.errors.InsufficientPrivilege as error:
        raise SinkerError(
            f"PostgreSQL at {settings.address}: {_first_line(error)}; grant {settings.user} SELECT on {name}"
        ) from None
    except psycopg2.OperationalError as error:
        raise SinkerError(
            f"PostgreSQL at {settings.address}: {_first_line(error)}; "
            "check SINKER_PARITY_POSTGRES_HOST, _PORT, _DATABASE, _USER, _PASSWORD and _SSLMODE"
        ) from None


def connect(settings: PostgresSettings) -> Connection:
    """A session that can only read, in UTC, with a time limit per query.

    Raises:
        psycopg2.OperationalError: the server cannot be reached or refuses the login.
    """
    return psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password.get_secret_value() or None,
        sslmode=settings.sslmode,
        connect_timeout=10,
        application_name="event_sinker parity",
        options="-c default_transaction_read_only=on -c TimeZone=UTC "
        f"-c statement_timeout={1000 * settings.statement_timeout_seconds}",
    )


def _first_line(error: psycopg2.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class PostgresLog:
    """One log table. Every query is a transaction of its own, so none holds back the server's clean-up for long."""

    def __init__(self, connection: Connection, name: str, table: LogTable) -> None:
        self.name = name
        self._connection = connection
        self._table = table
        entity = [sql.Identifier(table.logged_as(column)) for column in table.entity]
        texts = [sql.Identifier(column) for column in table.texts]
        documents = [sql.Identifier(column) for column in table.documents]
        self._parts = {
            "table": sql.Identifier(*name.split(".")),
            "entity": _listed("coalesce({0}, '') AS {0}", entity),
            "entity_names": _listed("{0}", entity),
            "entity_values": _listed("coalesce({0}, '')", entity),
            "texts": _listed("coalesce({0}, '')", texts),
            # As text: the driver would read the numbers of a jsonb column as doubles.
            "documents": _listed("{0}::text", documents),
        }

    def require_columns(self, settings: PostgresSettings) -> None:
        """Raise SinkerError unless the table exists and looks like the log of this event type."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT attname FROM pg_catalog.pg_attribute "
                "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                [self._parts["table"].as_string(self._connection)],
            )
            found = {name for (name,) in cursor}
        if not found:
            raise SinkerError(
                f"PostgreSQL at {settings.address} has no table {self.name} that {settings.user} can see: "
                "name it by --table, with its schema if need be, as in --table beat.profile_log"
            )
        missing = {"id", "timestamp", *map(self._table.logged_as, self._table.columns)} - found
        if missing:
            raise SinkerError(
                f"table {self.name} in PostgreSQL at {settings.address} lacks {', '.join(sorted(missing))}, "
                "so it is not the log of this event type: name the right one by --table"
            )

    def tallies(self, window: Window) -> dict[tuple[date, str], Tally]:
        """Rows and distinct entities by day and platform."""
        return {
            (day, platform): Tally(facts, entities) for day, platform, facts, entities in self._read(_TALLIES, window)
        }

    def near_midnight(self, window: Window, reach: int) -> Iterator[tuple[int, Entity]]:
        """Whole second and entity of every row up to `reach` seconds from a midnight, in order of time."""
        rows = self._read(_NEAR_MIDNIGHT, window.widened(reach), {"day": SECONDS_PER_DAY, "reach": reach})
        return ((second, tuple(entity)) for second, *entity in rows)

    def draw(self, window: Window, seed: str, number: int) -> list[tuple[str, Entity]]:
        """The first entities by a hash of seed and entity, with that hash."""
        rows = self._read(_ENTITIES, window, {"seed": seed, "number": number})
        return [(draw, tuple(entity)) for draw, *entity in rows]

    def facts(self, window: Window, entities: Sequence[Entity]) -> Iterator[Fact]:
        """All rows of the entities."""
        wanted, parameters = self._wanted(entities)
        for row_id, second, *values in self._read(_FACTS, window, parameters, wanted=wanted):
            yield self._table.fact(row_id, second, values)

    def _wanted(self, entities: Sequence[Entity]) -> tuple[sql.Composable, dict[str, Any]]:
        """The condition for rows of the entities. Bare columns can use an index; only an empty key may be a NULL."""
        # PostgreSQL holds no NUL, and its driver refuses to ask for one.
        possible = [entity for entity in entities if not any("\0" in key for key in entity)]
        groups = {
            "whole": (self._parts["entity_names"], tuple(entity for entity in possible if all(entity))),
            "partial": (self._parts["entity_values"], tuple(entity for entity in possible if not all(entity))),
        }
        conditions = [
            sql.SQL("({}) IN {}").format(columns, sql.Placeholder(group))
            for group, (columns, members) in groups.items()
            if members
        ]
        parameters = {group: members for group, (_, members) in groups.items()}
        return sql.SQL("({})").format(sql.SQL(" OR ").join(conditions or [sql.SQL("FALSE")])), parameters

    def _read(
        self, query: str, window: Window, parameters: dict[str, Any] | None = None, **parts: sql.Composable
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of one query through a server-side cursor: they never lie in memory all at once."""
        within = sql.SQL('"timestamp" >= %(start)s AND "timestamp" < %(end)s')
        values = {"start": _time(window.start), "end": _time(window.end)} | (parameters or {})
        with self._connection, self._connection.cursor(name="parity") as cursor:
            cursor.itersize = _FETCHED_ROWS
            cursor.execute(sql.SQL(query).format(**self._parts | parts, within=within), values)
            yield from cursor


def _listed(form: str, columns: Sequence[sql.Identifier]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL(form).format(column) for column in columns)


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None)  # as the column: UTC without a zone
