"""Processes of the local stack: started detached, remembered by pid and start time, stopped with all their children.

A pid alone names nothing: it is recycled. A process is therefore remembered with its start time, counted from the boot
of the machine so that a corrected clock changes nothing, and with the id of that boot. What does not match is never
signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil
from pydantic import BaseModel

MARK = "STIR_STACK_PROCESS"
"""Variable that every process of the stack inherits, `<home>:<service>`: it finds children whose parent died."""


class ProcessRecord(BaseModel):
    """Identity of one started process, as stored in `<home>/run/<name>.json`."""

    name: str
    pid: int
    started_after_boot: float
    boot_id: str

    @classmethod
    def of(cls, name: str, pid: int) -> ProcessRecord:
        return cls(name=name, pid=pid, started_after_boot=_age_of_boot(psutil.Process(pid)), boot_id=_boot_id())

    def process(self) -> psutil.Process | None:
        """The process, if it still lives and is the one that was started."""
        if self.boot_id != _boot_id():
            return None
        try:
            process = psutil.Process(self.pid)
            if abs(_age_of_boot(process) - self.started_after_boot) > 0.05:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _age_of_boot(process: psutil.Process) -> float:
    return round(process.create_time() - psutil.boot_time(), 2)


class StackProcess:
    """One long-running program of the stack.

    `mark` is the value of the variable MARK in its environment. `owned_folder` is a folder that only this program's
    processes have as working directory: PostgreSQL's and Airflow's write their titles over their environment, so
    that is what finds them.
    """

    def __init__(self, name: str, run: Path, log: Path, mark: str, owned_folder: Path | None = None) -> None:
        self.name = name
        self.log = log
        self.mark = mark
        self.owned_folder = owned_folder
        self._record_path = run / f"{name}.json"
        self._child: subprocess.Popen[bytes] | None = None

    def record(self) -> ProcessRecord | None:
        try:
            return ProcessRecord(**json.loads(self._record_path.read_text()))
        except FileNotFoundError:
            return None
        except ValueError:  # cut off by a full disk or a power failure
            self._record_path.unlink(missing_ok=True)
            return None

    def process(self) -> psutil.Process | None:
        """The running process, or None. A pid that belongs to somebody else by now counts as not running."""
        if self._child is not None:
            self._child.poll()  # collects a dead child, which would otherwise stay a zombie
        record = self.record()
        return record.process() if record else None

    def start(
        self,
        command: Sequence[str | Path],
        environment: dict[str, str],
        *,
        folder: Path,
        user: str | None = None,
        umask: int = 0o077,
    ) -> None:
        """Start the program in a session of its own, with its output appended to the log.

        Credentials belong into `environment` or into files, never into `command`: everybody can read a process list.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._record_path.parent.mkdir(parents=True, exist_ok=True)
        arguments = [str(part) for part in command]
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                arguments,
                cwd=folder,
                env=environment | {MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=umask,
                **switch_user(user),
            )
        record = ProcessRecord.of(self.name, self._child.pid)
        partial = self._record_path.with_suffix(".partial")
        partial.write_text(record.model_dump_json())
        partial.replace(self._record_path)

    def survivors(self) -> list[psutil.Process]:
        """Processes that descend from this program, whether or not it still lives itself."""
        main = self.process()
        found: dict[int, psutil.Process] = {}
        if main is not None:
            try:
                found = {child.pid: child for child in main.children(recursive=True)}
            except psutil.NoSuchProcess:
                main = None
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or (main is not None and process.pid == main.pid):
                    continue
                if self._is_ours(process):
                    found[process.pid] = process
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return list(found.values())

    def _is_ours(self, process: psutil.Process) -> bool:
        if self.owned_folder is not None and process.cwd() == str(self.owned_folder.resolve()):
            # A person's shell that stands in the folder has a terminal; the stack's processes never have one.
            return process.terminal() is None and process.pid not in {p.pid for p in psutil.Process().parents()}
        return process.environ().get(MARK) == self.mark

    def stop(self, *, stop_signal: int = signal.SIGTERM, patience: float = 20.0) -> bool:
        """End the program and all its children. True if anything ran.

        First the polite signal to the program itself, then, after `patience` seconds at most, SIGKILL to what is left.
        """
        main = self.process()
        if main is not None:
            _signal(main, stop_signal)
            if not self._gone([main], patience):
                _signal(main, signal.SIGKILL)
                self._gone([main], 5)
        left = self.survivors()
        for process in left:
            _signal(process, signal.SIGTERM)
        if left and not self._gone(left, 3):
            for process in left:
                _signal(process, signal.SIGKILL)
            self._gone(left, 3)
        # A program that was ended while it started may have had a child of which nobody knew yet.
        for _ in range(10):
            if not (late := self.survivors()):
                break
            for process in late:
                _signal(process, signal.SIGKILL)
            self._gone(late, 2)
        self._record_path.unlink(missing_ok=True)
        return main is not None or bool(left)

    def kill_survivors(self) -> None:
        """End what a killed program left behind, so that a new one finds its files and ports free."""
        left = self.survivors()
        for process in left:
            _signal(process, signal.SIGKILL)
        self._gone(left, 5)

    def _gone(self, processes: Iterable[psutil.Process], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        waiting = list(processes)
        while waiting:
            if self._child is not None:
                self._child.poll()
            waiting = [process for process in waiting if _lives(process)]
            if time.monotonic() > deadline:
                return not waiting
            if waiting:
                time.sleep(0.05)
        return True


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)  # psutil checks once more that the pid was not recycled


def switch_user(user: str | None) -> dict[str, object]:
    """Arguments for subprocess that run a program as another user, without this process's supplementary groups."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
