"""Fixtures of general use: single servers of the local stack, started when a test first asks for one.

All live in one temporary folder on ports of their own, for one test session; nothing else on the machine is touched.
With `-n 2` (pytest-xdist) there are two such sessions side by side, and each takes whole files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from devstack.ports import free_port_base
from devstack.services import (
    ClickHouseService,
    PostgresService,
    RabbitmqService,
    S3Service,
    SlackService,
    SshdService,
)
from devstack.settings import StackSettings

for name in [name for name in os.environ if name.startswith("STIR_STACK_")]:
    del os.environ[name]  # a developer's own stack is not the tests' stack
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; a command's output is as wide as it would be in a file


FIRST = (
    "tests/end_to_end/",
    "tests/gcc_social/test_tiers.py",
    "tests/fault/",
    "tests/plugins/serving/",
    "tests/devstack/test_",
    "tests/gcc_social/",
)
"""What takes long, in the order in which several processes start it: no long file is left for the end."""


class WholeFiles(LoadScopeScheduling):
    """A file's tests share servers and tables, so one process runs them all; tests/end_to_end shares one platform."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/end_to_end" if nodeid.startswith("tests/end_to_end/") else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles:
    config.option.loadscopereorder = False  # the order below, not that of the number of tests
    return WholeFiles(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((n for n, part in enumerate(FIRST) if part in item.nodeid), len(FIRST)))


@pytest.fixture(scope="session")
def stack_settings() -> Iterator[StackSettings]:
    """Settings of this session's servers, in a folder that PostgreSQL's user can enter (pytest's own are closed)."""
    home = Path(tempfile.mkdtemp(prefix="stir-test-"))
    home.chmod(0o711)
    yield StackSettings(
        home=home, port_base=free_port_base(reserve=True), ports={}, clickhouse_memory_bytes=2_000_000_000
    )
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_service(stack_settings: StackSettings) -> Iterator[PostgresService]:
    """PostgreSQL with the databases serving, serving_staging and airflow, owned by user stir."""
    with PostgresService(stack_settings) as service:
        yield service


@pytest.fixture(scope="session")
def rabbitmq_service(stack_settings: StackSettings) -> Iterator[RabbitmqService]:
    """RabbitMQ with the management API and user stir; `parameters()` is what pika needs."""
    with RabbitmqService(stack_settings) as service:
        yield service


@pytest.fixture(scope="session")
def s3_service(stack_settings: StackSettings) -> Iterator[S3Service]:
    """moto with the export bucket; `client()` is a boto3 client."""
    with S3Service(stack_settings) as service:
        yield service


@pytest.fixture(scope="session")
def clickhouse_service(stack_settings: StackSettings) -> Iterator[ClickHouseService]:
    """ClickHouse over HTTP and native TCP: `endpoint` has all of it. For s3() ask for s3_service too."""
    with ClickHouseService(stack_settings) as service:
        yield service


@pytest.fixture(scope="session")
def sshd_service(stack_settings: StackSettings) -> Iterator[SshdService]:
    """The database host's sshd; `run(command)` runs there. For `aws` ask for s3_service too."""
    with SshdService(stack_settings) as service:
        yield service


@pytest.fixture(scope="session")
def slack_service(stack_settings: StackSettings) -> Iterator[SlackService]:
    """The local Slack webhook; `webhook_base`, `messages()`."""
    with SlackService(stack_settings) as service:
        yield service
