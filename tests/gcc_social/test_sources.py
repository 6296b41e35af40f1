"""Declared sources against the tables that the DDL of this repository makes."""

from __future__ import annotations

import pytest

from tests.gcc_social.conftest import Warehouse

pytestmark = pytest.mark.integration


def test_declared_columns_are_the_columns_of_the_tables(manifest: dict, warehouse_server: Warehouse) -> None:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for database, table, column, kind in warehouse_server.rows(
        "select database, table, name, type from system.columns where database not in ('system', 'dbt')"
    ):
        found.setdefault((database, table), {})[column] = kind
    for source in manifest["sources"].values():
        table = (source["schema"], source["identifier"])
        assert table in found, f"no DDL makes {'.'.join(table)}"
        declared = {name: column["data_type"] for name, column in source["columns"].items()}
        assert declared == found[table], ".".join(table)


def test_loaded_at_fields_are_columns_of_time(manifest: dict, warehouse_server: Warehouse) -> None:
    for source in manifest["sources"].values():
        if source["loaded_at_field"]:
            relation = f"{source['schema']}.`{source['identifier']}`"
            ((kind,),) = warehouse_server.rows(f"select toTypeName(max({source['loaded_at_field']})) from {relation}")
            assert "DateTime" in kind, relation
