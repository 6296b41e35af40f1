"""The `dlq` commands, run in the process of the tests: the same as in a shell, without a second to start each time."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from event_sinker.main import main
from tests.fault.sinker_process import SinkerWorld

_CONFIGURED_LOGGERS = (None, "event_sinker", "pika", "clickhouse_connect", "urllib3")


@dataclass(frozen=True)
class Finished:
    """What a command leaves behind, named as `subprocess` names it."""

    returncode: int
    stdout: str
    stderr: str


def run_dlq(world: SinkerWorld, *arguments: str, **changes: object) -> Finished:
    """Run `dlq` to its end, without a terminal; `changes` are settings by name, or other variables in capitals."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        _process_state_kept(),
        Path(os.devnull).open() as nothing,  # also when pytest itself has a terminal
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setattr(sys, "stdin", nothing)
        for name in os.environ:
            if name.startswith("SINKER_"):
                patch.delenv(name)
        for name, value in variables(world, **changes).items():
            patch.setenv(name, value)
        code = main(["dlq", *arguments])
    return Finished(code, out.getvalue(), err.getvalue())


def variables(world: SinkerWorld, **changes: object) -> dict[str, str]:
    """The environment variables with which a command finds this world."""
    values = world.settings.model_dump(exclude_unset=True) | changes
    found = {}
    for name, value in values.items():
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        variable = name if name.isupper() else f"SINKER_{name.upper()}"
        found[variable] = ",".join(text) if isinstance(text, tuple) else str(text)
    return found


def listed(world: SinkerWorld, *arguments: str) -> list[dict[str, Any]]:
    """What `dlq list --json` says."""
    done = run_dlq(world, "list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def exported(path: Path) -> list[dict[str, Any]]:
    """The letters in a file that `dlq export` wrote."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]  # U+2028 ends a line of text, not of JSON


@contextmanager
def _process_state_kept() -> Iterator[None]:
    """A command sets up logging and SIGTERM for its whole process, which here goes on after it."""
    loggers = [logging.getLogger(name) for name in _CONFIGURED_LOGGERS]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)
        loggers[0].handlers = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
