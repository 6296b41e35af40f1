"""RabbitMQ: a private node with the management API, and its name server (epmd) on a port of its own."""

from __future__ import annotations

from pathlib import Path

import httpx
import pika

from devstack.errors import StackError
from devstack.logs import rotate
from devstack.neighbours import declare as declare_neighbours
from devstack.ports import answers
from devstack.services.base import Service, base_environment, write_private
from devstack.settings import HOST, RABBITMQ_USER, RABBITMQ_VHOST

PROGRAMS = Path("/usr/lib/rabbitmq/bin")

CONFIGURATION = """\
# Written at every start by the local stack.
listeners.tcp.1 = {host}:{port}
management.tcp.ip = {host}
management.tcp.port = {management_port}
default_user = {user}
default_pass = {password}
default_vhost = {vhost}
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
loopback_users = none
log.file = false
log.console = true
log.console.level = info
# A share of the machine would be gigabytes; a limit of its own keeps the whole stack small.
vm_memory_high_watermark.absolute = 600MB
disk_free_limit.absolute = 200MB
"""


class RabbitmqService(Service):
    name = "rabbitmq"
    port_names = ("rabbitmq", "rabbitmq_management", "rabbitmq_distribution", "rabbitmq_epmd")
    ready_within = 120.0
    patience = 30.0

    def __init__(self, settings, secrets=None) -> None:
        super().__init__(settings, secrets)
        self.name_server = self._stack_process("rabbitmq_epmd")
        # Both programs would carry the same mark; the name server must outlive a restart of the node's leftovers.
        self.name_server.mark += ":epmd"

    @property
    def address(self) -> str:
        return f"amqp://{HOST}:{self.settings.port('rabbitmq')}"

    @property
    def management_url(self) -> str:
        return f"http://{HOST}:{self.settings.port('rabbitmq_management')}"

    @property
    def node(self) -> str:
        return f"stir{self.settings.port('rabbitmq')}@localhost"

    @property
    def folder(self) -> Path:
        return self.data

    def command(self) -> list[str | Path]:
        return [PROGRAMS / "rabbitmq-server"]

    def environment(self) -> dict[str, str]:
        settings = self.settings
        return base_environment(settings) | {
            "HOME": str(self.data),  # holds the Erlang cookie
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": str(self.data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.data / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.data / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.data / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.data / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.data / "generated"),
            "RABBITMQ_DIST_PORT": str(settings.port("rabbitmq_distribution")),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            "ERL_EPMD_PORT": str(settings.port("rabbitmq_epmd")),
            "ERL_EPMD_ADDRESS": HOST,
            # Makes the start script replace itself by the Erlang machine, so that the recorded pid is the server's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def prepare(self) -> None:
        if not (PROGRAMS / "rabbitmq-server").exists():
            raise StackError("RabbitMQ is not installed: run `make up`, or `apt-get install rabbitmq-server`.")
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
        cookie = self.data / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, self.secrets.rabbitmq_cookie)
        (self.data / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.data / "rabbitmq-env.conf").write_text("# keeps the settings of a system-wide RabbitMQ out\n")
        write_private(
            self.data / "rabbitmq.conf",
            CONFIGURATION.format(
                host=HOST,
                port=self.settings.port("rabbitmq"),
                management_port=self.settings.port("rabbitmq_management"),
                user=RABBITMQ_USER,
                password=self.secrets.rabbitmq_password,
                vhost=RABBITMQ_VHOST,
            ),
        )

    def launch(self) -> None:
        if self.name_server.process() is None:
            rotate(self.name_server.log)
            self.name_server.start(
                ["epmd", "-address", HOST, "-port", str(self.settings.port("rabbitmq_epmd"))],
                self.environment(),
                folder=self.data,
            )
        super().launch()

    def clear_leftovers(self) -> None:
        # A node that was killed may still be registered; a name server that was killed leaves a node nobody finds.
        super().clear_leftovers()
        self.name_server.stop(patience=2)

    def probe(self) -> bool:
        if not answers(self.settings.port("rabbitmq"), 0.5):
            return False
        reply = httpx.get(
            f"{self.management_url}/api/health/checks/virtual-hosts",
            auth=(RABBITMQ_USER, self.secrets.rabbitmq_password),
            timeout=2,
        )
        return reply.status_code == 200

    def provision(self) -> None:
        """Declare what other services would declare in production."""
        declare_neighbours(self.parameters())

    def parameters(self) -> pika.ConnectionParameters:
        """How the platform's programs connect."""
        return pika.ConnectionParameters(
            host=HOST,
            port=self.settings.port("rabbitmq"),
            virtual_host=RABBITMQ_VHOST,
            credentials=pika.PlainCredentials(RABBITMQ_USER, self.secrets.rabbitmq_password),
        )

    def running(self) -> bool:
        return super().running() and self.name_server.process() is not None

    def stop(self) -> bool:
        stopped = super().stop()
        return self.name_server.stop(patience=2) or stopped
