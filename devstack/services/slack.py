"""The local stand-in for Slack's incoming webhooks: see `devstack/slack/`."""

from __future__ import annotations

import sys

import httpx

from devstack.services.base import Service, base_environment
from devstack.settings import HOST


class SlackService(Service):
    name = "slack"
    port_names = ("slack",)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.settings.port('slack')}/messages"

    @property
    def webhook_base(self) -> str:
        """What goes before the token, as `https://hooks.slack.com/services` does in the real Slack."""
        return f"http://{HOST}:{self.settings.port('slack')}/services"

    def command(self) -> list[str | object]:
        return [
            *(sys.executable, "-m", "devstack.slack", "--port", str(self.settings.port("slack"))),
            *("--messages", str(self.data / "messages.jsonl")),
        ]

    def environment(self) -> dict[str, str]:
        return base_environment(self.settings) | {"STIR_SLACK_TOKEN": self.secrets.slack_token}

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)

    def probe(self) -> bool:
        return httpx.get(f"http://{HOST}:{self.settings.port('slack')}/healthz", timeout=2).status_code == 200

    def messages(self) -> list[dict]:
        """Everything received so far, oldest first."""
        reply = httpx.get(self.address, timeout=5)
        reply.raise_for_status()
        return reply.json()
