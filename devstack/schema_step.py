"""The step after the servers are up: the tables of the sources and of the serving databases."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable

from devstack.environment import environment
from devstack.errors import StackError
from devstack.progress import DONE, FAILED, WORKING, Progress
from devstack.services.base import Service, base_environment
from devstack.settings import REPOSITORY, Secrets, StackSettings

STEP = "schema"


def apply_schema(settings: StackSettings, secrets: Secrets, running: Iterable[Service], progress: Progress) -> None:
    """Run `python -m schema apply --foreign-tables` for the databases that run. A repeat takes a second.

    Raises StackError with what the command said.
    """
    names = {service.name for service in running}
    parts = [part for service, part in (("clickhouse", "--clickhouse"), ("postgres", "--serving")) if service in names]
    if not parts:
        return
    progress.update(STEP, WORKING, "creating missing tables")
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "schema", "apply", "--foreign-tables", *parts],
        cwd=REPOSITORY,
        env=base_environment(settings) | environment(settings, secrets),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        progress.update(STEP, FAILED, "failed")
        raise StackError(f"The tables could not be created: {(done.stderr or done.stdout).strip()[-800:]}")
    created = sum(line.strip().startswith("created") for line in done.stdout.splitlines())
    outcome = f"{created} tables created" if created else "tables are there"
    progress.update(STEP, DONE, f"{outcome}, after {time.monotonic() - begun:.1f} s")
