"""ClickHouse: a server named by the user, else a `clickhouse` program on the PATH, else the local server over chDB."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import httpx

from devstack.clickhouse.config import NamedCollection, ServerConfiguration
from devstack.clickhouse.login import PASSWORD_VARIABLE
from devstack.clickhouse_endpoint import ClickHouseEndpoint, clickhouse_endpoint
from devstack.ports import answers
from devstack.services.base import Service, base_environment, write_private
from devstack.services.clickhouse_program import server_configuration
from devstack.settings import EXPORT_BUCKET, HOST, NAMED_COLLECTION


class ClickHouseService(Service):
    name = "clickhouse"
    patience = 30.0

    @property
    def external(self) -> bool:
        """True if the user named a server: it is used, but neither started nor stopped."""
        return bool(self.settings.clickhouse_url)

    @property
    def port_names(self) -> tuple[str, ...]:
        return () if self.external else ("clickhouse_http", "clickhouse_native")

    @property
    def endpoint(self) -> ClickHouseEndpoint:
        return clickhouse_endpoint(self.settings, self.secrets)

    @property
    def address(self) -> str:
        return f"{self.endpoint.url}, native {self.endpoint.native_port}"

    @property
    def program(self) -> str | None:
        """A real ClickHouse on the PATH, or None."""
        return shutil.which("clickhouse")

    def command(self) -> list[str | Path]:
        if self.program:
            return [self.program, "server", f"--config-file={self.data / 'config.xml'}"]
        return [
            *(sys.executable, "-m", "devstack.clickhouse", "serve"),
            *("--data-dir", self.data / "store", "--config", self.data / "config.xml"),
            *("--http-port", str(self.settings.port("clickhouse_http"))),
            *("--native-port", str(self.settings.port("clickhouse_native"))),
        ]

    def environment(self) -> dict[str, str]:
        return base_environment(self.settings) | {PASSWORD_VARIABLE: self.secrets.clickhouse_password}

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
        if self.program:
            write_private(self.data / "config.xml", server_configuration(self.settings, self.secrets, self.data))
            return
        bucket = NamedCollection(
            name=NAMED_COLLECTION,
            url=f"http://{HOST}:{self.settings.port('s3')}/{EXPORT_BUCKET}/",
            access_key_id=self.secrets.s3_access_key,
            secret_access_key=self.secrets.s3_secret_key,
        )
        memory = self.settings.clickhouse_memory_bytes
        ServerConfiguration(max_server_memory_bytes=memory, named_collections=[bucket]).write(self.data / "config.xml")

    @property
    def folder(self) -> Path:
        return self.data if self.program else super().folder

    def running(self) -> bool:
        return self.external or super().running()

    def start(self) -> bool:
        return False if self.external else super().start()

    def stop(self) -> bool:
        return False if self.external else super().stop()

    def probe(self) -> bool:
        endpoint = self.endpoint
        reply = httpx.get(
            f"{endpoint.url}/",
            params={"query": "SELECT 1"},
            headers={"X-ClickHouse-User": endpoint.user, "X-ClickHouse-Key": endpoint.password},
            timeout=2,
        )
        native = True if self.external else answers(endpoint.native_port)
        return reply.status_code == 200 and reply.text.strip() == "1" and native
