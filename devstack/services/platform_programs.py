"""The platform's own long-running programs: the Beat simulator and the event sinker."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from devstack.environment import environment
from devstack.services.base import Service, base_environment
from devstack.settings import HOST


class BeatService(Service):
    """Stands in for the scraper: see `devstack/beat/`."""

    name = "beat"
    port_names = ("beat",)
    needs = ("rabbitmq", "clickhouse")

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.settings.port('beat')}"

    def command(self) -> list[str | Path]:
        return [sys.executable, "-m", "devstack.beat", "serve", "--port", str(self.settings.port("beat"))]

    def environment(self) -> dict[str, str]:
        return base_environment(self.settings) | environment(self.settings, self.secrets)

    def probe(self) -> bool:
        return httpx.get(f"{self.address}/healthz", timeout=2).status_code == 200


class SinkerService(Service):
    """Moves events from RabbitMQ to ClickHouse: see `event_sinker/`."""

    name = "sinker"
    port_names = ("sinker",)
    needs = ("rabbitmq", "clickhouse")
    patience = 30.0  # it writes what it holds before it ends

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.settings.port('sinker')}"

    def command(self) -> list[str | Path]:
        return [sys.executable, "-m", "event_sinker", "run", "--init-schema"]

    def environment(self) -> dict[str, str]:
        return base_environment(self.settings) | environment(self.settings, self.secrets)

    def probe(self) -> bool:
        return httpx.get(f"{self.address}/readyz", timeout=2).status_code == 200
