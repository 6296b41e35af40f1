"""What an operator can do to a running RabbitMQ, and undo: alarms, time limits, policies."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from devstack.services.rabbitmq import PROGRAMS, RabbitmqService
from tests.fault.sinker_process import wait_until


class BrokerControl:
    """Commands to one broker. Other tests use the same one, so whatever is changed is put back at the end."""

    def __init__(self, service: RabbitmqService) -> None:
        self._service = service
        self._login = (service.parameters().credentials.username, service.parameters().credentials.password)

    def evaluate(self, expression: str) -> str:
        """The value of an Erlang expression in the broker, as text."""
        command = [PROGRAMS / "rabbitmqctl", "-n", self._service.node, "eval", f"{expression}."]
        environment = self._service.environment()
        done = subprocess.run(
            command, env=environment, cwd=self._service.folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{expression}: {done.stdout} {done.stderr}"
        return done.stdout.strip()

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """The broker believes that its memory is full: it reads nothing more from connections that publish."""
        limit = self.evaluate("vm_memory_monitor:get_vm_memory_high_watermark()")
        try:
            self.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.0)")
            assert "memory" in self.evaluate("rabbit_alarm:get_alarms()")
            yield
        finally:
            self.evaluate(f"vm_memory_monitor:set_vm_memory_high_watermark({limit})")
            wait_until(lambda: self.evaluate("rabbit_alarm:get_alarms()") == "[]", what="the alarm to end")

    @contextmanager
    def consumer_timeout(self, milliseconds: int) -> Iterator[None]:
        """Channels that open from now on are closed when a delivery is not acknowledged for so long."""
        names = ("consumer_timeout", "channel_tick_interval")
        before = {name: self.evaluate(f"element(2, application:get_env(rabbit, {name}))") for name in names}
        try:
            for name, value in zip(names, (milliseconds, 500), strict=True):
                self.evaluate(f"application:set_env(rabbit, {name}, {value})")
            yield
        finally:
            for name, value in before.items():
                self.evaluate(f"application:set_env(rabbit, {name}, {value})")

    @contextmanager
    def queue_full_at(self, vhost: str, queue: str, messages: int) -> Iterator[None]:
        """The queue takes no more than about so many messages; publishers of more get a negative confirmation."""
        policy = f"/api/policies/{vhost}/full"
        definition = {"max-length": messages, "overflow": "reject-publish"}
        with httpx.Client(base_url=self._service.management_url, auth=self._login, timeout=20) as management:
            body = {"pattern": f"^{queue}$", "definition": definition, "apply-to": "queues"}
            management.put(policy, json=body).raise_for_status()
            address = f"/api/queues/{vhost}/{queue}"
            wait_until(lambda: management.get(address).json().get("policy") == "full", what="the policy")
            try:
                yield
            finally:
                management.delete(policy).raise_for_status()
