"""Empty tables as candidate queries find them, made from the project's own declarations so that none is copied by hand.

Sources and events come from their DDL; models and seeds from the columns and types that their YAML declares, and a
staging model's types from the replica that it copies. Engine and sorting are those of the model, so FINAL works.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from clickhouse_driver import Client
from stir import accepted_requests

from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES
from schema import clickhouse_sources

PROJECT = Path(__file__).parents[2] / "gcc_social"
TABLE = re.compile(r"\b(?:from|join)\s+([a-z_]+\.[a-z_0-9]+)")
NULLABLE = re.compile(r"^Nullable\((.*)\)$")


class CandidateTables:
    """The tables that some queries read, on one server. Rows are inserted by column name."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.names: set[str] = set()
        self.files = {path.stem: path for path in (PROJECT / "models").rglob("*.sql")}
        self.columns: dict[str, list[Mapping[str, Any]]] = {}
        self.replicas: dict[tuple[str, str], tuple[str, str]] = {}
        for path in [*(PROJECT / "models").rglob("*.yml"), PROJECT / "seeds" / "_seeds.yml"]:
            declared = yaml.safe_load(path.read_text(encoding="utf-8"))
            for source in declared.get("sources") or ():
                for table in source["tables"]:
                    place = (source.get("schema", source["name"]), table.get("identifier", table["name"]))
                    self.replicas[source["name"], table["name"]] = place
            for node in [*(declared.get("models") or ()), *(declared.get("seeds") or ())]:
                types = node.get("config", {}).get("column_types", {})
                self.columns[node["name"]] = [
                    {"data_type": types.get(column["name"]), **column} for column in node.get("columns", ())
                ]

    def create_for(self, queries: Iterable[str]) -> None:
        """Create whatever the queries read."""
        self.names = {name for query in queries for name in TABLE.findall(query)}
        self.client.execute("drop database if exists dbt sync")
        for database in ("_e", "dbt"):
            self.client.execute(f"create database if not exists {database}")
        for statement in accepted_requests.DDL:
            self.client.execute(statement)
        for event in EVENT_TYPES.values():
            self.client.execute(event_schema.create_table(event, "_e"))
        for database, statements in clickhouse_sources.source_databases().items():
            self.client.execute(f"create database if not exists {database}")
            self.client.execute(f"use {database}")
            for statement in statements:
                self.client.execute(statement.text)
        self.client.execute("use default")
        for name in sorted(self.names):
            if name.startswith("dbt."):
                self.client.execute(self.ddl(name.removeprefix("dbt.")))
        self.empty()

    def ddl(self, model: str) -> str:
        """CREATE TABLE of a model or seed."""
        text = self.files[model].read_text(encoding="utf-8") if model in self.files else ""
        found = re.search(r'engine="([^"]+)"', text)
        engine = found[1] if found else "MergeTree"
        found = re.search(r"order_by=(\[[^\]]*\]|\"[^\"]*\")", text)
        order = re.findall(r"\w+", found[1]) if found else []
        replica = re.search(r'source\("(\w+)", "(\w+)"\)', text)
        types = dict(self.types(*self.replicas[replica[1], replica[2]])) if replica else {}
        lines = []
        for column in self.columns[model]:
            kind = column.get("data_type") or types[column["name"]]
            if column["name"] in order or f"({column['name']})" in engine:
                kind = NULLABLE.sub(r"\1", kind)
            lines.append(f"`{column['name']}` {kind}")
        return f"create table dbt.{model} ({', '.join(lines)}) engine = {engine} order by ({', '.join(order)})"

    def types(self, database: str, table: str) -> list[tuple[str, str]]:
        return self.client.execute(
            "select name, type from system.columns where database = %(database)s and table = %(table)s",
            {"database": database, "table": table},
        )

    def empty(self) -> None:
        """No rows anywhere."""
        for name in self.names:
            self.client.execute(f"truncate table {name}")

    def drop(self) -> None:
        """No models; sources and events stay, without rows."""
        self.empty()
        self.client.execute("drop database dbt sync")
        self.client.execute("create database dbt")

    def insert(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Insert rows; all of them name the same columns, the others keep their defaults."""
        assert table in self.names, f"no query reads {table}"
        columns = list(rows[0])
        assert all(list(row) == columns for row in rows), f"rows of {table} name different columns"
        self.client.execute(f"insert into {table} ({', '.join(columns)}) values", [tuple(row.values()) for row in rows])
