"""The servers of the local stack, one class each. A test fixture can start one alone:

with PostgresService(StackSettings(home=..., ports=...)) as postgres:
    postgres.connection("serving")
"""

from __future__ import annotations

from devstack.services.base import Service
from devstack.services.clickhouse import ClickHouseEndpoint, ClickHouseService, clickhouse_endpoint
from devstack.services.postgres import PostgresService
from devstack.services.rabbitmq import RabbitmqService
from devstack.services.s3 import S3Service
from devstack.services.slack import SlackService
from devstack.services.sshd import SshdService

__all__ = [
    "ClickHouseEndpoint",
    "ClickHouseService",
    "PostgresService",
    "RabbitmqService",
    "S3Service",
    "Service",
    "SlackService",
    "SshdService",
    "clickhouse_endpoint",
]
