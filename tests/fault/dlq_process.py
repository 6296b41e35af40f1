"""`dlq` commands as processes, for what only happens to those: signals, kills, terminals; and a proxy for inserts."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.event_sinker.dlq_command import variables
from tests.fault.sinker_process import REPOSITORY, SinkerWorld
from tests.fault.tcp_proxy import TcpProxy


def start_dlq(
    world: SinkerWorld, *arguments: str, stdin: int = subprocess.DEVNULL, **changes: object
) -> subprocess.Popen[str]:
    """Start `dlq` with these arguments; `changes` are settings by name, or other variables in capitals."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SINKER_")}
    return subprocess.Popen(
        [sys.executable, "-m", "event_sinker", "dlq", *arguments],
        cwd=REPOSITORY,
        env=inherited | variables(world, **changes),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class InsertProxy(TcpProxy):
    """A proxy to ClickHouse that starts to hold when the next insert passes: its reply, or the insert itself."""

    def hold_next_insert(self, direction: str) -> None:
        """`direction`: "request" or "reply"."""
        self.hold_when(b"insert_deduplication_token", direction)
