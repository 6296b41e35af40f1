"""The wall clock is set while a batch waits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fault.sinker_process import SinkerWorld, wait_until

pytestmark = pytest.mark.integration

# A sinker whose wall clock is off by the number of seconds that the file names.
PROGRAM = """
import runpy, sys, time
path, real = sys.argv.pop(1), time.time
time.time = lambda: real() + float(open(path).read())
runpy.run_module("event_sinker", run_name="__main__")
"""


def test_the_time_trigger_does_not_follow_the_wall_clock(world: SinkerWorld, tmp_path: Path) -> None:
    """Case 21: a batch waits its seconds, no less when the clock leaps ahead and no more when it is set back."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    sinker = world.start(program=("-c", PROGRAM, str(clock)), batch_seconds=3)
    for hours in (1, -1):
        stored = world.rows()
        begin = time.monotonic()
        world.send(50)
        wait_until(lambda: sinker.metric("sinker_buffer_rows") == 50)
        clock.write_text(str(3600 * hours))
        wait_until(lambda: world.rows() == stored + 50, 15)  # noqa: B023 -- called at once
        assert time.monotonic() - begin > 3
        extreme = "max" if hours > 0 else "min"
        ((ahead,),) = world.query(f"SELECT {extreme}(insert_timestamp) - now() FROM DB.profile_log_events")
        assert abs(ahead - 3600 * hours) < 60, "the wall clock of the sinker did jump"
    world.assert_each_stored_once()
    assert sinker.ready()
