"""What every service of the local stack has in common: start, wait until ready, stop."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from devstack.errors import StackError
from devstack.home import prepare_home
from devstack.logs import last_lines, rotate
from devstack.ports import require_free
from devstack.processes import StackProcess
from devstack.settings import REPOSITORY, Secrets, StackSettings

FOREIGN_PREFIXES = ("AIRFLOW", "AWS_", "DBT_", "PG", "RABBITMQ_", "SINKER_", "STIR_", "ERL_", "MOTO_")
"""Variables of the caller's shell that would change what a service does; each service gets exactly its own."""


class Service(ABC):
    """One server of the stack.

    Usable alone: `with PostgresService(settings) as postgres: ...` starts it, waits, and stops it again.
    `start` is idempotent, and after a `kill -9` it clears what the dead server left behind.
    """

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    stop_signal: ClassVar[int] = signal.SIGTERM
    patience: ClassVar[float] = 20.0
    ready_within: ClassVar[float] = 90.0

    def __init__(self, settings: StackSettings, secrets: Secrets | None = None) -> None:
        self.settings = settings
        self._secrets = secrets
        self.main = self._stack_process(self.name)

    @property
    def secrets(self) -> Secrets:
        if self._secrets is None:
            self._secrets = Secrets.load_or_create(self.settings)
        return self._secrets

    @property
    def data(self) -> Path:
        """The service's own data folder, with links resolved: servers record absolute paths."""
        return self.settings.home.resolve() / "data" / self.name

    @property
    def log(self) -> Path:
        return self.settings.logs / f"{self.name}.log"

    @property
    def ports(self) -> dict[str, int]:
        return {name: self.settings.port(name) for name in self.port_names}

    @property
    def address(self) -> str:
        """Where users of the service find it."""
        return ", ".join(f"127.0.0.1:{port}" for port in self.ports.values())

    def _stack_process(self, name: str, owned_folder: Path | None = None) -> StackProcess:
        mark = f"{self.settings.home.absolute()}:{self.name}"
        return StackProcess(name, self.settings.run, self.settings.logs / f"{name}.log", mark, owned_folder)

    # What a service defines

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The program and its arguments, without any credential."""

    @abstractmethod
    def probe(self) -> bool:
        """One quick try (2 s at most) whether the service does its work; may raise, which counts as no."""

    def prepare(self) -> None:  # noqa: B027 -- optional
        """Write configuration and data files before the start. Repeated at each start, so idempotent."""

    def provision(self) -> None:  # noqa: B027 -- optional
        """Create databases, users, buckets once the server answers. Repeated at each start, so idempotent."""

    def environment(self) -> dict[str, str]:
        """Variables of the service's process."""
        return base_environment(self.settings)

    @property
    def folder(self) -> Path:
        """Working directory of the process."""
        return REPOSITORY

    @property
    def user(self) -> str | None:
        return None

    @property
    def umask(self) -> int:
        return 0o077

    # What users of a service call

    def running(self) -> bool:
        return self.main.process() is not None

    def ready(self) -> bool:
        """True if the service does its work now."""
        try:
            return self.running() and self.probe()
        except Exception:
            return False

    def require_ports(self) -> None:
        """Raise StackError if a port of this service is taken by another program."""
        for port_name, port in self.ports.items():
            require_free(self.name, port_name, port)

    def clear_leftovers(self) -> None:
        """End what a killed server left running. Only processes that this stack started are touched."""
        self.main.kill_survivors()

    def start(self) -> bool:
        """Start the service without waiting for it. False if it ran already."""
        prepare_home(self.settings)
        if self.running():
            return False
        self.clear_leftovers()
        self.require_ports()
        rotate(self.log)
        self.prepare()
        self.launch()
        return True

    def launch(self) -> None:
        self.main.start(self.command(), self.environment(), folder=self.folder, user=self.user, umask=self.umask)

    def wait_ready(self, seconds: float | None = None, given_up: threading.Event | None = None) -> None:
        """Return when the service does its work; StackError with the end of its log if it dies or takes too long.

        Setting `given_up` from another thread ends the wait with a StackError at once.
        """
        given_up = given_up or threading.Event()
        limit = self.ready_within if seconds is None else seconds
        deadline = time.monotonic() + limit
        pause = 0.05
        while not self.ready():
            if not self.running():
                raise StackError(f"{self.name} ended while it started; {self._log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} did not become ready within {limit:.0f} s; {self._log_tail()}")
            if given_up.wait(pause):
                raise StackError(f"{self.name} was given up because another service failed")
            pause = min(pause * 1.5, 0.5)
        self.provision()

    def _log_tail(self) -> str:
        lines = last_lines(self.log, 15)
        return f"the end of {self.log}:\n" + "\n".join(f"    {line}" for line in lines)

    def stop(self) -> bool:
        """Stop the service and all its children. False if nothing ran."""
        return self.main.stop(stop_signal=self.stop_signal, patience=self.patience)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def base_environment(settings: StackSettings) -> dict[str, str]:
    """The caller's environment without what would steer the stack's servers, plus the stack's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", ""), "/usr/sbin", "/usr/bin", "/bin"])
    return kept | settings.variables() | {"PATH": path, "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def write_private(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Write a file that only its owner can read, replacing it in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: services that start side by side write the same file.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    partial = Path(name)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        if owner is not None:
            os.fchown(file.fileno(), *owner)
    partial.replace(path)
