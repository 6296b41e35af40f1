"""Fixtures of the tests of the local stack itself: a home and ports of their own for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from devstack.ports import free_port_base, release
from devstack.settings import REPOSITORY, StackSettings
from tests.processes_of_stack import processes_of

Devstack = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def temporary_stack() -> Iterator[StackSettings]:
    """Settings of a stack in a folder of its own. Whatever it left running is ended with it."""
    parent = Path(tempfile.mkdtemp(prefix="stir-test-"))
    parent.chmod(0o711)
    settings = StackSettings(home=parent / "stack", port_base=free_port_base(reserve=True), ports={})
    yield settings
    for process in processes_of(settings.home):
        process.kill()
    release(settings.port_base)
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def own_settings() -> Iterator[StackSettings]:
    """Settings of a stack for one test."""
    with temporary_stack() as settings:
        yield settings


@pytest.fixture(scope="module")
def module_settings() -> Iterator[StackSettings]:
    """Settings of a stack that the tests of one file share."""
    with temporary_stack() as settings:
        yield settings


@pytest.fixture
def devstack(own_settings: StackSettings) -> Devstack:
    """Runs `python -m devstack <arguments>` on this test's stack."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "devstack", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **own_settings.variables(), **variables},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=240,
        )

    return run


@pytest.fixture
def stack_processes(own_settings: StackSettings) -> Callable[[], list[psutil.Process]]:
    """Lists every process of this test's stack that lives."""
    return lambda: processes_of(own_settings.home)
