"""The servers of the local stack, one class each. A test fixture can start one alone:

with PostgresService(StackSettings(home=..., port_base=...)) as postgres:
    postgres.connection("serving")
"""

from __future__ import annotations

from devstack.services.airflow import (
    AirflowApiService,
    AirflowDagProcessorService,
    AirflowSchedulerService,
    AirflowTriggererService,
)
from devstack.services.base import Service
from devstack.services.clickhouse import ClickHouseService
from devstack.services.partners import PartnersService
from devstack.services.platform_programs import BeatService, SinkerService
from devstack.services.postgres import PostgresService
from devstack.services.rabbitmq import RabbitmqService
from devstack.services.s3 import S3Service
from devstack.services.slack import SlackService
from devstack.services.sshd import SshdService
from devstack.settings import Secrets, StackSettings

SERVICES: tuple[type[Service], ...] = (
    PostgresService,
    RabbitmqService,
    ClickHouseService,
    S3Service,
    SshdService,
    SlackService,
    BeatService,
    SinkerService,
    PartnersService,
    AirflowApiService,
    AirflowSchedulerService,
    AirflowDagProcessorService,
    AirflowTriggererService,
)
"""Every service, each after those it needs."""


def all_services(settings: StackSettings, secrets: Secrets) -> dict[str, Service]:
    """One instance of every service by name, the triggerer included even if it is switched off."""
    return {service.name: service(settings, secrets) for service in SERVICES}


__all__ = [
    "SERVICES",
    "AirflowApiService",
    "AirflowDagProcessorService",
    "AirflowSchedulerService",
    "AirflowTriggererService",
    "BeatService",
    "ClickHouseService",
    "PartnersService",
    "PostgresService",
    "RabbitmqService",
    "S3Service",
    "Service",
    "SinkerService",
    "SlackService",
    "SshdService",
    "all_services",
]
