# ruff: noqa: S608 -- SQL is built here from declarations checked in __post_init__, never from input
"""The task that loads a search index into ClickHouse: one table for all days, one partition for each.

The index is read into a table aside. When every document has arrived and there are not suspiciously few, the day's
partition is replaced by it in one step: readers see a day completely or not at all, and a repeated run replaces what
the first one wrote. Until then nothing of the live table is touched.
Spec: dags.yml sync_vidooly_es_youtube_channels, inventory decision 6.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from stir.run_page import left_behind
from stir.warehouse import literal

log = logging.getLogger(__name__)

LOADING_DATABASE = "stir"
DAY_COLUMN = "load_date"
ROUNDS = 3
"""So often a scroll that broke off is begun again before the task fails."""

IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]*$")
TABLE = re.compile(r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")
INDEX = re.compile(r"^[a-z0-9][a-z0-9._-]*$")

ON_FAILURE = """
Nothing was published: the table still holds the days that it held. A search server that is away or loses pages: the
retries begin again. Far fewer documents than on the last day: find out why; if it is right, trigger the DAG with
`accept_fewer`. A day that was missed stays missing, because the index only knows today.
"""


@dataclass(frozen=True)
class Field:
    """One column: where its value stands in a document, step by step. Text unless `flag`, which is 0 or 1."""

    column: str
    path: tuple[str, ...]
    flag: bool = False

    def value(self, document: Mapping[str, Any]) -> str | int | None:
        """The column's value, None where the document has nothing there."""
        found: Any = document
        for step in self.path:
            if not isinstance(found, Mapping) or found.get(step) is None:
                return None
            found = found[step]
        return flag(found) if self.flag else text(found)


@dataclass(frozen=True, kw_only=True)
class SearchImport:
    """One index and the table that it is loaded into.

    `table` has the columns of `fields`, the `key` (text: the document's field of that name, or else its id in the
    index), `_path` and `_file`, which name the load, and the partition key `load_date`. `smallest_share`: a load with a
    smaller share of the previous day's rows is refused.
    """

    connection: str
    index: str
    query: Mapping[str, Any]
    table: str
    key: str
    fields: tuple[Field, ...]
    page_size: int = 5000
    smallest_share: float = 0.5

    def __post_init__(self) -> None:
        for name in (self.key, *(field.column for field in self.fields)):
            if not IDENTIFIER.match(name):
                raise ValueError(f"search import {self.index!r}: {name!r} is not a lower-case identifier")
        if not TABLE.match(self.table):
            raise ValueError(f"search import {self.index!r}: {self.table!r} is not of the form database.table")
        if not INDEX.match(self.index):
            raise ValueError(f"search import {self.index!r} is not the name of an index")

    @property
    def loading_table(self) -> str:
        """Where a load is put together."""
        return f"{LOADING_DATABASE}.{self.table.replace('.', '_')}_loading"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a load fills."""
        return (self.key, *(field.column for field in self.fields), "_path", "_file", DAY_COLUMN)

    @property
    def document_fields(self) -> list[str]:
        """Fields of a document that the server has to send."""
        return [self.key, *(".".join(field.path) for field in self.fields)]

    def file_name(self, day: date) -> str:
        """Name of a day's load; readers of the table find the day in it."""
        return f"{self.index}_{day:%Y%m%d}.json"

    def row(self, document: Mapping[str, Any], day: date) -> tuple[Any, ...] | None:
        """The row of one document, None when it has no key."""
        source = document.get("_source") or {}
        key = text(source.get(self.key)) or text(document.get("_id"))
        if not key:
            return None
        name = self.file_name(day)
        return (key, *(field.value(source) for field in self.fields), name, name, day)


def import_params() -> dict[str, Param]:
    """The form of a manual trigger."""
    return {
        "load_date": Param(
            None,
            type=["null", "string"],
            format="date",
            description="day that is written; empty: the day of the run. The index only knows today",
        ),
        "accept_fewer": Param(
            False, type="boolean", description="publish although there are far fewer rows than on the last day"
        ),
        "dry_run": Param(False, type="boolean", description="read everything, check it, and publish nothing"),
    }


def import_index(search: SearchImport, task_id: str = "import_index") -> PythonOperator:
    """Task that loads one index. XCom: see `run`."""
    return PythonOperator(
        task_id=task_id, python_callable=run, op_kwargs={"search": search}, show_return_value_in_logs=False
    )


def run(search: SearchImport, params: Mapping[str, Any], dag_run: Any, **context: Any) -> dict[str, Any]:
    """Read, check, publish. Returns `{load_date, documents, without_key, rows, previous_rows, rounds, dry_run}`; a
    load that is refused leaves the same as its XCom.

    Raises AirflowException when the server or the warehouse fails (a retry may help), AirflowFailException when the
    load is refused (it would not).
    """
    from stir import warehouse
    from stir.search_scroll import ScrollLostError

    day = day_of(params.get("load_date"), dag_run.run_after)
    require_partitions(search)
    warehouse.command(f"create database if not exists {LOADING_DATABASE}", what=f"create {LOADING_DATABASE}")
    rounds = 0
    try:
        while True:
            rounds += 1
            warehouse.command(f"drop table if exists {search.loading_table} sync", what=search.loading_table)
            warehouse.command(f"create table {search.loading_table} as {search.table}", what=search.loading_table)
            try:
                documents, without_key = read_into(search, day)
                break
            except ScrollLostError as error:
                if rounds == ROUNDS:
                    raise AirflowException(f"{search.index}: given up after {rounds} rounds: {error}") from error
                log.warning("%s: begins again: %s", search.index, error)
        rows = without_duplicates(search)
        previous = previous_rows(search, day)
        page = {
            "load_date": str(day), "documents": documents, "without_key": without_key, "rows": rows,
            "previous_rows": previous, "rounds": rounds, "dry_run": bool(params.get("dry_run")),
        }  # fmt: skip
        log.info("%s: %s", search.index, page)
        with left_behind(context, lambda: page):
            require_plausible(search, page, accept_fewer=bool(params.get("accept_fewer")))
            if not page["dry_run"]:
                warehouse.command(
                    f"alter table {search.table} replace partition id '{day:%Y%m%d}' from {search.loading_table}",
                    what=f"publish {day} of {search.table}",
                )
        return page
    finally:
        drop_loading_table(search)


def drop_loading_table(search: SearchImport) -> None:
    """Clean up. A failure here says nothing about the load and hides no other error: the next run begins with it."""
    from stir import warehouse

    try:
        warehouse.command(f"drop table if exists {search.loading_table} sync", what=search.loading_table)
    except warehouse.WarehouseError as error:
        log.warning("left behind, the next run drops it: %s", error)


def day_of(wanted: str | None, run_after: datetime) -> date:
    """The day that a load is of: the wanted one, or that of the run, however late its retries come.

    Raises AirflowFailException for a run of the past, which would file today's state under another day.
    """
    if wanted:
        return date.fromisoformat(wanted)
    if abs(datetime.now(UTC) - run_after) > timedelta(hours=36):
        raise AirflowFailException(
            f"this run is of {run_after:%Y-%m-%d}, and the index only knows today: what it holds now must not be filed "
            "under that day. Trigger a new run, or name the day in `load_date` if it is to be written all the same"
        )
    return run_after.astimezone(UTC).date()


def require_partitions(search: SearchImport) -> None:
    """Raise AirflowFailException unless a day of the table can be replaced on its own."""
    from stir import warehouse

    database, table = search.table.split(".")
    found = warehouse.rows(
        f"select partition_key from system.tables where database = {literal(database)} and name = {literal(table)}",
        what=search.table,
    )
    if not found:
        raise AirflowFailException(f"table {search.table} is missing: run `python -m schema apply` first")
    if found[0]["partition_key"] != DAY_COLUMN:
        raise AirflowFailException(
            f"table {search.table} is partitioned by {found[0]['partition_key'] or 'nothing'}, not by {DAY_COLUMN}: "
            f"rename it, run `python -m schema apply` and copy its rows into the new table"
        )


def read_into(search: SearchImport, day: date) -> tuple[int, int]:
    """Read the whole index into the loading table; returns documents read and documents without a key.

    Raises ScrollLostError when the scroll has to begin again, AirflowException when the server refuses.
    """
    from stir import warehouse
    from stir.search_scroll import ScrollLostError, SearchError

    head = f"insert into {search.loading_table} ({', '.join(search.columns)}) values"
    documents = without_key = 0
    try:
        with server(search) as opened:
            pages = opened.scroll(search.index, search.query, search.document_fields, page_size=search.page_size)
            for page in pages:
                rows = [search.row(document, day) for document in page.documents]
                usable = [row for row in rows if row is not None]
                warehouse.insert(head, usable, what=f"page of {search.index}")
                documents += len(rows)
                without_key += len(rows) - len(usable)
                log.info("%s: %d of %d documents", search.index, documents, page.total)
    except ScrollLostError:
        raise
    except SearchError as error:
        raise AirflowException(f"connection {search.connection}: {error}") from error
    return documents, without_key


def server(search: SearchImport) -> Any:
    """The search server behind the declared connection."""
    from airflow.sdk import Connection

    from stir.search_scroll import SearchServer

    connection = Connection.get(search.connection)
    if "://" not in (connection.host or ""):
        raise AirflowFailException(
            f"connection {search.connection!r} needs a whole address as its host (https://host:9200), not "
            f"{connection.host!r}"
        )
    return SearchServer(connection.host, login=connection.login or "", password=connection.password or "")


def without_duplicates(search: SearchImport) -> int:
    """Leave one row per key in the loading table; returns how many there are."""
    from stir import warehouse

    count = f"select count() as rows, uniqExact({search.key}) as keys from {search.loading_table}"
    found = warehouse.rows(count, what=search.loading_table)[0]
    if found["rows"] != found["keys"]:
        log.info("%s: %d rows repeat a key and are dropped", search.index, found["rows"] - found["keys"])
        warehouse.command(
            f"optimize table {search.loading_table} final deduplicate by {search.key}, _path, {DAY_COLUMN}",
            what=search.loading_table,
        )
    return found["keys"]


def previous_rows(search: SearchImport, day: date) -> int | None:
    """Rows of the newest earlier day, None when there is none."""
    from stir import warehouse

    found = warehouse.rows(
        f"select count() as rows from {search.table} where {DAY_COLUMN} = "
        f"(select max({DAY_COLUMN}) from {search.table} where {DAY_COLUMN} < '{day}')",
        what=search.table,
    )
    return found[0]["rows"] or None


def require_plausible(search: SearchImport, page: Mapping[str, Any], *, accept_fewer: bool) -> None:
    """Raise AirflowFailException for an empty load and for one that is far smaller than the previous day's."""
    rows, previous = page["rows"], page["previous_rows"]
    if rows == 0:
        raise AirflowFailException(f"{search.index} holds no document for this query: nothing was published")
    if page["without_key"] > page["documents"] * 0.01:
        raise AirflowFailException(
            f"{page['without_key']} of {page['documents']} documents of {search.index} have no {search.key}: the index "
            "has another form than declared. Nothing was published"
        )
    if previous and rows < previous * search.smallest_share and not accept_fewer:
        raise AirflowFailException(
            f"{search.index} has {rows} rows, the day before had {previous}: less than {search.smallest_share:.0%}. "
            "Nothing was published; trigger the DAG with accept_fewer if this is right"
        )


def text(value: Any) -> str | None:
    """A value of a document as text: numbers and truth values as JSON writes them. Broken characters become `?`."""
    if value is None:
        return None
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return written.encode("utf-8", "replace").decode("utf-8")


def flag(value: Any) -> int | None:
    """1 for a truth value in any of its spellings, 0 for its opposite, None for anything else."""
    return {"true": 1, "1": 1, "false": 0, "0": 0}.get(str(value).strip().lower())
