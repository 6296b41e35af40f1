"""The stand-ins for servers of other companies, in one process: see `devstack/partners/`."""

from __future__ import annotations

import sys
from typing import Any

import httpx

from devstack.environment import environment
from devstack.services.base import Service, base_environment
from devstack.settings import HOST


class PartnersService(Service):
    name = "partners"
    port_names = ("partners",)
    needs = ("clickhouse",)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.settings.port('partners')}"

    def command(self) -> list[str | object]:
        return [
            *(sys.executable, "-m", "devstack.partners", "--port", str(self.settings.port("partners"))),
            *("--events", str(self.data / "crm_events.jsonl")),
        ]

    def environment(self) -> dict[str, str]:
        return base_environment(self.settings) | environment(self.settings, self.secrets)

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)

    def probe(self) -> bool:
        return httpx.get(self.address, timeout=2).status_code == 200

    def crm_events(self) -> list[dict[str, Any]]:
        """Everything that the CRM received so far, oldest first: `received_at`, `key` and `event`."""
        reply = httpx.get(f"{self.address}/crm/events", params={"limit": 100_000}, timeout=10)
        return reply.raise_for_status().json()
