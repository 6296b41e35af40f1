"""The event tables belong to the sinker: starting it as the local stack does makes every one that a model reads."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from devstack.environment import environment
from devstack.services import ClickHouseService
from devstack.services.platform_programs import SinkerService
from devstack.settings import REPOSITORY
from event_sinker.events import EVENT_TYPES
from schema.connections import clickhouse_address, connect_clickhouse

pytestmark = pytest.mark.integration


def test_the_local_stacks_sinker_makes_the_tables_of_both_environments(clickhouse_service: ClickHouseService) -> None:
    """Before it looks for a broker, of which there is none here."""
    settings, secrets = clickhouse_service.settings, clickhouse_service.secrets
    variables = os.environ | environment(settings, secrets)
    wanted = {(database, event.table) for database in ("_e", "_stage_e") for event in EVENT_TYPES.values()}
    client = connect_clickhouse(clickhouse_address(variables))
    with subprocess.Popen(SinkerService(settings, secrets).command(), env=variables, cwd=REPOSITORY) as sinker:
        try:
            missing = wanted
            for _ in range(300):
                found = client.query("SELECT database, name FROM system.tables WHERE database IN ('_e', '_stage_e')")
                missing = wanted - set(found.result_rows)
                if not missing or sinker.poll() is not None:
                    break
                time.sleep(0.2)
        finally:
            sinker.terminate()
            client.close()
    assert missing == set()
