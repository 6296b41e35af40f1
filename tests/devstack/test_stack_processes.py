from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from devstack.logs import last_lines, rotate
from devstack.processes import ProcessRecord, StackProcess

pytestmark = pytest.mark.unit

# A program with a child in a session of its own, as servers have. It prints the child's pid.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def program(tmp_path: Path):
    process = StackProcess("program", tmp_path / "run", tmp_path / "logs" / "program.log", mark=f"{tmp_path}:program")
    yield process
    process.stop(patience=1)


def lives(pid: int) -> bool:
    """False also for a dead process that its parent has not collected yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(program: StackProcess, tmp_path: Path, code: str = PARENT) -> int:
    """Start it and return the pid that it prints."""
    program.start([sys.executable, "-c", code], dict(os.environ), folder=tmp_path)
    deadline = time.monotonic() + 10
    while not (lines := last_lines(program.log, 1)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return int(lines[0])


def test_stop_ends_the_program_and_children_that_left_its_session(program: StackProcess, tmp_path: Path) -> None:
    child = start(program, tmp_path)
    main = program.process()
    assert main is not None
    assert program.stop(patience=5) is True
    assert not main.is_running()
    assert not lives(child)
    assert program.stop() is False


def test_children_of_a_killed_program_are_found_and_ended(program: StackProcess, tmp_path: Path) -> None:
    child = start(program, tmp_path)
    program.process().kill()
    time.sleep(0.1)
    assert program.process() is None
    assert [process.pid for process in program.survivors()] == [child]
    program.kill_survivors()
    assert not lives(child)


def test_a_program_that_ignores_the_polite_signal_is_killed(program: StackProcess, tmp_path: Path) -> None:
    stubborn = (
        "import signal, os, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True)\n"
    )
    start(program, tmp_path, stubborn + "time.sleep(600)")
    begun = time.monotonic()
    assert program.stop(stop_signal=signal.SIGTERM, patience=0.5) is True
    assert time.monotonic() - begun < 5
    assert program.process() is None


def test_a_recycled_pid_is_never_signalled(program: StackProcess, tmp_path: Path) -> None:
    """The record names a pid that another program has by now: same pid, other start time; or same time, other boot."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        genuine = ProcessRecord.of("program", stranger.pid)
        record = tmp_path / "run" / "program.json"
        record.parent.mkdir(exist_ok=True)
        for forged in (
            genuine.model_copy(update={"started_after_boot": genuine.started_after_boot - 60}),
            genuine.model_copy(update={"boot_id": "of another boot"}),
        ):
            record.write_text(forged.model_dump_json())
            assert program.process() is None
            assert program.stop(patience=0.5) is False
            assert stranger.poll() is None
        stranger.kill()


def test_a_record_that_was_cut_off_counts_as_nothing_running(program: StackProcess, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "program.json").write_text('{"name": "prog')
    assert program.process() is None


def test_a_log_is_moved_aside_when_it_has_grown_too_large(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    for content in ("first", "second", "third"):
        log.write_text(content * 10)
        rotate(log, limit=10)
    assert not log.exists()
    assert (tmp_path / "service.log.1").read_text().startswith("third")
    assert (tmp_path / "service.log.2").read_text().startswith("second")
    log.write_text("small")
    rotate(log, limit=10)
    assert log.read_text() == "small"
