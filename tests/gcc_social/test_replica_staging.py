"""The staging copies of replicas on a real server: late rows, changed rows, reruns, and what must not be copied."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from schema.clickhouse_sources import source_databases
from schema.statements import Statement
from tests.gcc_social.conftest import RUN_TIME, Warehouse

pytestmark = pytest.mark.integration

NOON = RUN_TIME.replace(tzinfo=None)


def build(warehouse: Warehouse, model: str, *arguments: str, run_time: datetime = RUN_TIME) -> None:
    warehouse.dbt("run", "--select", model, *arguments, run_time=run_time)


def hours_ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


LOGS = {
    "stg_beat_post_activity_log": ("beat_replica.post_activity_log", "actor_profile_id"),
    "stg_beat_profile_relationship_log": ("beat_replica.profile_relationship_log", "target_profile_id"),
}


@pytest.mark.parametrize("model", LOGS)
def test_late_log_rows_arrive_exactly_once(empty_warehouse: Warehouse, model: str) -> None:
    """Rows come with an old time, without one and with one from the future; each ends in the model once."""
    warehouse = empty_warehouse
    table, profile = LOGS[model]

    def arrive(*rows: tuple[int, datetime | None]) -> None:
        warehouse.insert(table, ("id", profile, "timestamp"), [(key, "9", moment) for key, moment in rows])

    def ids() -> list[int]:
        return [key for (key,) in warehouse.rows(f"select id from dbt.{model} final order by id")]

    build(warehouse, model)  # empty first: the next run must not take the empty model for up to date
    assert ids() == []
    arrive((1, hours_ago(24 * 400)), (2, hours_ago(1)), (4, hours_ago(-24 * 365)))
    build(warehouse, model)
    assert ids() == [1, 2, 4]

    arrive((3, hours_ago(3)), (5, None), (6, hours_ago(24 * 30)))  # 3 by its time, 5 always, 6 by its id
    later = RUN_TIME + timedelta(minutes=30)
    build(warehouse, model, run_time=later)
    assert ids() == [1, 2, 3, 4, 5, 6]
    arrive((7, hours_ago(24 * 31)))
    build(warehouse, model, run_time=later)
    assert ids() == [1, 2, 3, 4, 5, 6, 7]

    before = warehouse.checksum(model)
    build(warehouse, model, run_time=later)
    assert warehouse.checksum(model) == before
    build(warehouse, model, "--full-refresh", run_time=later)
    assert warehouse.checksum(model) == before
    warehouse.dbt("test", "--select", model)


def test_followers_of_a_profile_are_found_by_the_sort_key(empty_warehouse: Warehouse) -> None:
    warehouse, rows = empty_warehouse, 50_000
    warehouse.client.command(
        "insert into beat_replica.profile_relationship_log (id, target_profile_id, timestamp)"
        f" select number, toString(number % 100), toDateTime64('2026-06-01', 6) from numbers({rows})"
    )
    build(warehouse, "stg_beat_profile_relationship_log")
    question = "select count() from dbt.stg_beat_profile_relationship_log where target_profile_id in ('7', '8')"
    assert warehouse.rows(question) == [(2 * rows // 100,)]
    plan = "\n".join(line for (line,) in warehouse.rows(f"explain indexes = 1 {question}"))
    assert "target_profile_id" in plan.partition("PrimaryKey")[2], plan


def test_a_picture_uploaded_again_shows_its_new_address(empty_warehouse: Warehouse) -> None:
    """Only updated_at tells: the row is a year old. The reference watched created_at and kept the old address."""
    warehouse = empty_warehouse
    table, columns = (
        "beat_replica.asset_log",
        ("id", "entity_id", "entity_type", "asset_url", "created_at", "updated_at"),
    )
    year_ago = hours_ago(24 * 365)
    other = (2, "b", "POST", "b.jpg", hours_ago(10), hours_ago(10))
    for address, uploaded in (("old.jpg", year_ago), ("new.jpg", hours_ago(1))):
        warehouse.client.command(f"truncate table {table}")
        warehouse.insert(table, columns, [(1, "a", "PROFILE", address, year_ago, uploaded), other])
        build(warehouse, "stg_beat_asset_log")
    copies = "select id, asset_url from dbt.stg_beat_asset_log final order by id"
    assert warehouse.rows(copies) == [(1, "new.jpg"), (2, "b.jpg")]

    # The older version again, as a lagging replica would show it: the newer one stays.
    warehouse.client.command(f"truncate table {table}")
    warehouse.insert(table, columns, [(1, "a", "PROFILE", "old.jpg", year_ago, hours_ago(2)), other])
    build(warehouse, "stg_beat_asset_log")
    assert warehouse.rows(copies) == [(1, "new.jpg"), (2, "b.jpg")]
    warehouse.dbt("test", "--select", "stg_beat_asset_log")


def test_a_secret_in_the_replica_does_not_reach_the_model(empty_warehouse: Warehouse) -> None:
    """The scraper's table has a column of secrets. Even a replica that shows it gives none of it to the model."""
    warehouse = empty_warehouse
    warehouse.client.command("alter table beat_replica.credential add column credentials Nullable(String)")
    try:
        warehouse.insert(
            "beat_replica.credential",
            ("id", "source", "handle", "enabled", "credentials"),
            [(1, "graphapi", "anna", 1, '{"token": "s3cr3t"}')],
        )
        build(warehouse, "stg_beat_credential")
    finally:
        warehouse.client.command("alter table beat_replica.credential drop column credentials")
    ((text,),) = warehouse.rows("select toString(tuple(*)) from dbt.stg_beat_credential")
    assert "anna" in text
    assert "s3cr3t" not in text
    columns = {
        name for (name,) in warehouse.rows("select name from system.columns where table = 'stg_beat_credential'")
    }
    assert "handle" in columns
    assert "credentials" not in columns


SNAPSHOTS = {
    "stg_beat_credential": "beat_replica.credential",
    "stg_beat_instagram_account": "beat_replica.instagram_account",
    "stg_beat_instagram_profile_insights": "beat_replica.instagram_profile_insights",
    "stg_beat_order": "beat_replica.order",
    "stg_beat_youtube_account": "beat_replica.youtube_account",
    "stg_beat_youtube_profile_insights": "beat_replica.youtube_profile_insights",
    "stg_coffee_activity_tracker": "coffee_replica.activity_tracker",
    "stg_coffee_campaign_profiles": "coffee_replica.view_campaign_profile_lite",
    "stg_coffee_collection_group": "coffee_replica.collection_group",
    "stg_coffee_keyword_collection": "coffee_replica.keyword_collection",
    "stg_coffee_post_collection": "coffee_replica.post_collection",
    "stg_coffee_post_collection_item": "coffee_replica.post_collection_item",
    "stg_coffee_profile_collection": "coffee_replica.profile_collection",
    "stg_coffee_profile_collection_item": "coffee_replica.profile_collection_item",
    "stg_coffee_view_instagram_account_lite": "coffee_replica.view_instagram_account_lite",
    "stg_coffee_view_youtube_account_lite": "coffee_replica.view_youtube_account_lite",
    "stg_coffee_stage_view_instagram_account_lite": "coffee_stage.view_instagram_account_lite",
    "stg_coffee_stage_view_youtube_account_lite": "coffee_stage.view_youtube_account_lite",
    "stg_coffee_staging_post_collection_item": "coffee_stage.post_collection_item",
    "stg_coffee_staging_profile_collection_item": "coffee_stage.profile_collection_item",
}
"""Models that copy a replica as it is, by name."""


def test_a_snapshot_has_every_column_and_row_of_its_replica(small_world: Warehouse) -> None:
    small_world.drop_models()
    small_world.dbt("build", "--exclude-resource-type", "unit_test", "--select", *SNAPSHOTS)
    different = {}
    for model, table in SNAPSHOTS.items():
        database, _, name = table.partition(".")
        columns = _columns(small_world, "dbt", model)
        replica = _columns(small_world, database, name)
        assert {c: kind for c, kind in columns.items() if c != "id"} == {
            c: kind for c, kind in replica.items() if c != "id"
        }, model
        assert columns["id"] in ("Int64", "String"), model  # a sort key must not be NULL
        listed = ", ".join(f"`{column}`" for column in sorted(columns))
        content = f"select count(), sum(cityHash64(toString(tuple({listed})))) from"
        copied, wanted = small_world.rows(f"{content} dbt.{model}"), small_world.rows(f"{content} {database}.`{name}`")
        assert copied[0][0] > 0, f"the small world has no row in {table}"
        if copied != wanted:
            different[model] = table
    assert not different


def test_every_replica_of_the_scraper_and_the_product_has_its_model(manifest: dict) -> None:
    """Tables of the two services whose copies the marts read; the two logs from before the events have none."""
    copied = {
        (manifest["sources"][parent]["schema"], manifest["sources"][parent]["identifier"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"].startswith("stg_")
        for parent in node["depends_on"]["nodes"]
        if parent in manifest["sources"]
    }
    tables = {
        (database, _table(statement))
        for database in ("beat_replica", "coffee_replica", "coffee_stage")
        for statement in source_databases()[database]
    }
    assert tables - copied == {("beat_replica", "profile_log"), ("beat_replica", "post_log")}


def _table(statement: Statement) -> str:
    return statement.text.partition("EXISTS ")[2].split()[0].strip("`")


def _columns(warehouse: Warehouse, database: str, table: str) -> dict[str, str]:
    return dict(
        warehouse.rows(f"select name, type from system.columns where database = '{database}' and table = '{table}'")
    )
