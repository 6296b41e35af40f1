"""A platform of a benchmark's own, which nothing is left of."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.ports import free_port_base
from devstack.progress import SilentProgress
from devstack.settings import StackSettings
from devstack.stack import Stack


@contextmanager
def private_stack() -> Iterator[Stack]:
    """A stack in a temporary folder on free ports, nothing of it started; stopped and deleted at the end, also by
    SIGTERM.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    home = Path(tempfile.mkdtemp(prefix="stir-benchmark-"))
    home.chmod(0o711)
    settings = StackSettings(home=home / "stack", port_base=free_port_base(reserve=True), ports={}, clickhouse_url="")
    stack = Stack(settings, SilentProgress())
    try:
        yield stack
    finally:
        stack.down()
        shutil.rmtree(home, ignore_errors=True)
