"""Declared sources against the tables that the DDL of this repository makes, and against what stands in them."""

from __future__ import annotations

from typing import Any

import pytest

from schema import clickhouse_sources
from tests.gcc_social.conftest import Warehouse

pytestmark = pytest.mark.integration

DATABASES = (*clickhouse_sources.source_databases(), "_e", "_stage_e")


def relation(source: dict[str, Any]) -> str:
    return f"{source['schema']}.`{source['identifier']}`"


def test_declared_columns_are_the_columns_of_the_tables(manifest: dict, warehouse_server: Warehouse) -> None:
    """Every table of the DDL is a source and every source a table of the DDL, column by column and type by type."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for database, table, column, kind in warehouse_server.rows(
        f"select database, table, name, type from system.columns where database in {DATABASES}"
    ):
        found.setdefault((database, table), {})[column] = kind
    declared = {
        (source["schema"], source["identifier"]): {
            name: column["data_type"] for name, column in source["columns"].items()
        }
        for source in manifest["sources"].values()
    }
    assert declared.keys() - found.keys() == set(), "declared, but no DDL makes them"
    assert found.keys() - declared.keys() == set(), "tables that no source declares"
    assert {".".join(table): declared[table] for table in declared if declared[table] != found[table]} == {}


def test_loaded_at_fields_are_columns_of_time(manifest: dict, warehouse_server: Warehouse) -> None:
    for source in manifest["sources"].values():
        if source["loaded_at_field"]:
            ((kind,),) = warehouse_server.rows(
                f"select toTypeName(max({source['loaded_at_field']})) from {relation(source)}"
            )
            assert "DateTime" in kind, relation(source)


def test_daily_snapshots_are_dated_by_their_file(manifest: dict, empty_warehouse: Warehouse) -> None:
    source = manifest["sources"]["source.gcc_social.vidooly.youtube_channels"]
    empty_warehouse.insert(
        relation(source),
        ("id", "_path", "_file"),
        [("UC1", f"bucket/2020/channels_{day}.json", f"channels_{day}.json") for day in ("20260531", "20260601")],
    )
    newest = f"select toString(toDate(max({source['loaded_at_field']}))) from {relation(source)}"
    assert empty_warehouse.rows(newest) == [("2026-06-01",)]


def test_keys_of_the_small_worlds_json_are_documented(manifest: dict, small_world: Warehouse) -> None:
    """meta.json_keys lists what may stand in a JSON column; names in <> or [] are patterns, which say nothing here."""
    checked, unknown = 0, {}
    for source in manifest["sources"].values():
        for name, column in source["columns"].items():
            documented = set(column["config"]["meta"].get("json_keys", ()))
            if not documented or any(key.startswith(("<", "[")) for key in documented):
                continue
            keys = f"arrayJoin(JSONExtractKeys(ifNull(`{name}`, '')))"
            seen = {key for (key,) in small_world.rows(f"select distinct {keys} from {relation(source)}")}
            checked += len(seen)
            if seen - documented:
                unknown[f"{relation(source)}.{name}"] = seen - documented
    assert unknown == {}
    assert checked > 60
