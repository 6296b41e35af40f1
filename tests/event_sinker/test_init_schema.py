"""`init-schema` on tables that are there already."""

from __future__ import annotations

import pytest

from event_sinker import schema
from event_sinker.errors import SinkerError
from event_sinker.events import EVENT_TYPES
from event_sinker.writer import connect
from tests.fault.sinker_process import SinkerWorld

pytestmark = pytest.mark.integration


def test_a_table_with_another_partition_key_is_refused(world: SinkerWorld) -> None:
    database = world.settings.clickhouse_database
    event = EVENT_TYPES["profile_log"]
    with connect(world.settings) as client:
        client.command(f"DROP TABLE {database}.profile_log_events SYNC")
        ddl = schema.create_table(event, database).replace("toYYYYMM(event_timestamp)", "toYYYYMMDD(event_timestamp)")
        client.command(ddl)
        with pytest.raises(SinkerError, match=r"partition key.*RENAME TABLE"):
            schema.apply(client, [event], database)


def test_init_schema_finds_its_own_tables_in_place(world: SinkerWorld) -> None:
    """Every start of the local stack runs it again."""
    world.serve()
    with connect(world.settings) as client:
        assert schema.apply(client, list(EVENT_TYPES.values()), world.settings.clickhouse_database) == []


def test_init_schema_brings_an_older_table_up_to_date(world: SinkerWorld) -> None:
    """A table of the old design: no deduplication window, no retry_count, no batch id. Its rows stay."""
    database = world.settings.clickhouse_database
    event = EVENT_TYPES["scrape_request_log"]
    lacks = {"retry_count", "ingest_batch_id"}
    old = ", ".join(f"{column.name} {column.type}" for column in event.columns if column.name not in lacks)
    with connect(world.settings) as client:
        client.command(f"DROP TABLE IF EXISTS {database}.{event.table} SYNC")
        client.command(
            f"CREATE TABLE {database}.{event.table} ({old}) ENGINE = MergeTree "
            f"PARTITION BY {event.partition_by} ORDER BY ({', '.join(event.order_by)})"
        )
        client.command(f"INSERT INTO {database}.{event.table} (event_id, event_timestamp) VALUES ('old', now())")
        changes = schema.apply(client, [event], database)
        assert any("retry_count" in change for change in changes)
        assert any("non_replicated_deduplication_window = 10000" in change for change in changes)
        assert any("MATERIALIZE INDEX ids" in change for change in changes)
        assert schema.apply(client, [event], database) == []
        assert client.query(f"SELECT event_id, retry_count FROM {database}.{event.table}").result_rows == [
            ("old", None)
        ]


def test_init_schema_raises_a_small_deduplication_window_and_leaves_a_larger_one(world: SinkerWorld) -> None:
    database = world.settings.clickhouse_database
    event = EVENT_TYPES["profile_log"]
    with connect(world.settings) as client:
        for had, wants in ((1000, 10_000), (50_000, 50_000)):
            client.command(
                f"ALTER TABLE {database}.{event.table} MODIFY SETTING non_replicated_deduplication_window = {had}"
            )
            assert bool(schema.apply(client, [event], database)) == (had != wants)
            ddl = client.command(f"SHOW CREATE TABLE {database}.{event.table}")
            assert f"non_replicated_deduplication_window = {wants}" in ddl
