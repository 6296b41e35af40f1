"""ClickHouse as tasks see it: rows by column name, through the hook of airflow-clickhouse-plugin, with readable
errors.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)

CONNECTION = "clickhouse_gcc"
QUERY_SECONDS = 600
UNKNOWN_TABLE, UNKNOWN_DATABASE = 60, 81


class WarehouseError(Exception):
    """ClickHouse could not be asked, or refused the statement. The message says which, and what to do."""


def rows(
    sql: str, parameters: Mapping[str, Any] | None = None, *, what: str, seconds: int = QUERY_SECONDS
) -> list[dict[str, Any]]:
    """Run one query and return its rows as dictionaries by column name.

    `what` names the query in errors (the file it comes from). `seconds` bounds its execution on the server.
    Unmatched columns of outer joins are NULL (`join_use_nulls`), whatever the server's default.
    Raises WarehouseError.
    """
    data, columns = _execute(
        sql,
        parameters,
        what=what,
        with_column_types=True,
        settings={"max_execution_time": seconds, "join_use_nulls": 1},
    )
    names = [name for name, _ in columns]
    return [dict(zip(names, row, strict=True)) for row in data]


def command(sql: str, *, what: str) -> None:
    """Run one statement that returns nothing. Raises WarehouseError."""
    _execute(sql, None, what=what)


def insert(sql: str, values: Sequence[tuple[Any, ...]], *, what: str) -> None:
    """Insert rows with an `INSERT INTO ... VALUES` head. No rows is no call. Raises WarehouseError."""
    if values:
        _execute(sql, (row for row in values), what=what)  # a list's first rows would stand in the log


def literal(value: str) -> str:
    """A string as a ClickHouse literal, quotes and backslashes escaped."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _execute(sql: str, parameters: Any, *, what: str, **options: Any) -> Any:
    from airflow_clickhouse_plugin.hooks.clickhouse import ClickHouseHook
    from clickhouse_driver import errors

    hook = ClickHouseHook(clickhouse_conn_id=CONNECTION)
    try:
        return hook.execute(sql, params=parameters, **options)
    except errors.ServerException as error:
        text = " ".join((error.message or "").split("Stack trace:")[0].split())[:800]
        advice = ""
        if error.code in (UNKNOWN_TABLE, UNKNOWN_DATABASE):
            advice = " Run the dbt tier or `python -m schema apply` that creates it first."
        raise WarehouseError(f"{what}: ClickHouse refused the statement (code {error.code}): {text}{advice}") from error
    except (errors.Error, OSError, EOFError) as error:
        connection = hook.get_connection(CONNECTION)
        raise WarehouseError(
            f"{what}: ClickHouse at {connection.host}:{connection.port} (connection {CONNECTION}) does not answer: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}. Check the server and the connection"
        ) from error
