"""Mart, declaration and DDL of each serving table agree, without any server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from stir.serving.ddl import table_ddl
from stir.serving.declaration import Target
from stir.serving.targets import TARGETS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
EVERY_TARGET = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


def described_columns(model: str) -> dict[str, str]:
    """Columns with their types as the dbt project describes the model."""
    for path in sorted((ROOT / "gcc_social" / "models").rglob("*.yml")):
        for entry in yaml.safe_load(path.read_text()).get("models") or []:
            if entry["name"] == model:
                return {column["name"]: column.get("data_type", "") for column in entry.get("columns", [])}
    raise AssertionError(f"no YAML under gcc_social/models describes {model}")


@EVERY_TARGET
def test_mart_has_every_exported_column_in_the_declared_type(target: Target):
    described = described_columns(target.mart_table)
    wrong = {
        column.name: f"{described.get(column.name, 'missing')}, declared {column.clickhouse}"
        for column in target.exported
        if not column.expression and described.get(column.name) != column.clickhouse
    }
    assert not wrong


@EVERY_TARGET
def test_ddl_file_is_what_the_declaration_generates(target: Target):
    path = ROOT / "schema" / "serving" / f"{target.name}.sql"
    assert path.read_text() == table_ddl(target), (
        f"run: python -m stir.serving ddl {target.name} > {path.relative_to(ROOT)}"
    )


@EVERY_TARGET
def test_enrichments_read_columns_that_the_base_tables_have(target: Target):
    base = (ROOT / "schema" / "serving" / "base.sql").read_text()
    for enrichment in target.enrichments:
        body = base.split(f"create table if not exists {enrichment.table} (", 1)[1].split("\n);", 1)[0]
        columns = {line.split()[0] for line in body.splitlines() if line.strip()}
        assert {"id", enrichment.key, *enrichment.columns.values()} <= columns


@EVERY_TARGET
def test_no_index_is_a_prefix_of_another(target: Target):
    for index in target.indexes:
        for other in target.indexes:
            assert index is other or other.columns[: len(index.columns)] != index.columns, f"{index.name} is redundant"


def test_reference_columns_of_the_leaderboard_are_all_there():
    """The columns that the product reads, as the serving table was documented before."""
    expected = [
        "id",
        "month",
        "language",
        "category",
        "platform",
        "profile_type",
        "handle",
        "followers",
        "engagement_rate",
        "avg_likes",
        "avg_comments",
        "avg_views",
        "avg_plays",
        "followers_rank",
        "followers_change_rank",
        "views_rank",
        "plays_rank",
        "platform_id",
        "platform_profile_id",
        "country",
        "views",
        "yt_views",
        "ia_views",
        "uploads",
        "prev_followers",
        "prev_views",
        "prev_plays",
        "followers_change",
        "likes",
        "comments",
        "plays",
        "engagement",
        "profile_platform",
        "audience_gender",
        "audience_age",
        "search_phrase",
        "enabled",
        "last_month_ranks",
        "current_month_ranks",
    ]
    assert {column.name for column in TARGETS["leaderboard"].columns} == set(expected)
