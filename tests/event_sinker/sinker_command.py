"""The command line of the sinker as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.event_sinker.dlq_command import variables
from tests.fault.sinker_process import REPOSITORY, SinkerWorld


def run_command(world: SinkerWorld, *arguments: str, **changes: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m event_sinker` to its end; `changes` are settings by name."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SINKER_")}
    return subprocess.run(
        [sys.executable, "-m", "event_sinker", *arguments],
        cwd=REPOSITORY,
        env=inherited | variables(world, **changes) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )
