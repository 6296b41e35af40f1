"""The end of a day: `devstack down` ends every process and keeps the data."""

from __future__ import annotations

import json
import os

import pytest
from running_platform import RunningPlatform

from tests.processes_of_stack import processes_of

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]


@pytest.mark.skipif("STIR_END_TO_END_HOME" in os.environ, reason="that stack is somebody's own and keeps running")
def test_down_ends_every_process_and_keeps_the_data(platform: RunningPlatform):
    home = platform.settings.home
    assert len(processes_of(home)) > len(platform.services)

    down = platform.devstack("down")

    assert down.returncode == 0, down.stdout
    assert processes_of(home) == []
    status = json.loads(platform.devstack("status", "--json").stdout)["services"]
    assert {service["state"] for service in status} == {"stopped"}
    assert all(any(platform.services[name].data.iterdir()) for name in ("clickhouse", "postgres", "rabbitmq"))
