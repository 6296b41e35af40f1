"""`up` with services that end while it works, without any server."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.progress import SilentProgress
from devstack.services import Service
from devstack.settings import StackSettings
from devstack.stack import Stack

pytestmark = pytest.mark.unit


class Scripted(Service):
    """A service without a process. It runs when `up` looks, and has ended when `up` waits for it."""

    name = "airflow-dag-processor"

    def __init__(self, settings: StackSettings, comes_back: bool) -> None:
        super().__init__(settings)
        self.runs, self.starts, self.comes_back = True, 0, comes_back

    def command(self) -> list[str | Path]:
        return []

    def probe(self) -> bool:
        return self.runs

    def running(self) -> bool:
        return self.runs

    def start(self) -> bool:
        self.starts += 1
        self.runs = self.comes_back
        return True

    def stop(self) -> bool:
        self.runs = False
        return True

    def wait_ready(self, seconds=None, given_up=None) -> None:
        if not self.starts:
            self.runs = False
        if not self.runs:
            raise StackError(f"{self.name} ended while it started")


def stack_of(service: Scripted) -> Stack:
    stack = Stack(service.settings, SilentProgress())
    stack.services = {service.name: service}
    return stack


def test_up_starts_a_service_that_ends_while_up_waits_for_it(own_settings: StackSettings) -> None:
    service = Scripted(own_settings, comes_back=True)
    assert stack_of(service).up() == [service.name]
    assert service.running()
    assert service.starts == 1


def test_up_gives_up_on_a_service_that_ends_again(own_settings: StackSettings) -> None:
    service = Scripted(own_settings, comes_back=False)
    with pytest.raises(StackError, match="ended while it started"):
        stack_of(service).up()
    assert service.starts == 1
