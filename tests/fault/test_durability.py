"""An acknowledged event is on the disk of ClickHouse."""

from __future__ import annotations

import pytest

from event_sinker.events import EVENT_TYPES
from tests.fault.sinker_process import SinkerWorld, wait_until
from tests.fault.test_server_outages import kill_and_restart

pytestmark = pytest.mark.integration


def test_every_table_writes_through_to_the_disk(world: SinkerWorld) -> None:
    """Case 25: the settings are on in the live tables, and an insert does sync files and folder."""
    world.serve()
    database = world.settings.clickhouse_database
    ddl = dict(world.query(f"SELECT name, create_table_query FROM system.tables WHERE database = '{database}'"))
    assert set(ddl) == {event.table for event in EVENT_TYPES.values()}
    for table, statement in ddl.items():
        settings = statement.split("SETTINGS", 1)[1]
        assert "fsync_after_insert = 1" in settings, table
        assert "fsync_part_directory = 1" in settings, table

    def synced() -> dict[str, int]:
        return dict(world.query("SELECT event, value FROM system.events WHERE event IN ('FileSync', 'DirectorySync')"))

    world.start()
    before = synced()
    world.send(1)
    world.assert_each_stored_once()
    after = synced()
    assert after["FileSync"] > before.get("FileSync", 0)
    assert after["DirectorySync"] > before.get("DirectorySync", 0)


def test_clickhouse_killed_right_after_the_acknowledgement(world: SinkerWorld, clickhouse_service) -> None:
    """Case 25: what RabbitMQ has forgotten is there when ClickHouse comes back."""
    sinker = world.start()
    world.send(500)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 500)
    kill_and_restart(clickhouse_service)
    assert world.depth("profile_log_events_q") == 0
    world.assert_each_stored_once()
