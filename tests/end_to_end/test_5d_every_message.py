"""Every message DAG: each of its messages waits in the queue of the service that it is for."""

from __future__ import annotations

import pytest
from dag_sweep import Sweep, described, succeeded
from running_platform import RunningPlatform
from swept_dags import QUEUES

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("dag_id", QUEUES)
def test_messages_wait_in_their_queue(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    published = outcome.total("published")
    assert published > 0, described(platform, dag_id, outcome)
    assert platform.depth(QUEUES[dag_id]) == sweep.depths[QUEUES[dag_id]] + published
