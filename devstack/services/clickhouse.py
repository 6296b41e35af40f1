"""ClickHouse: a server named by the user, else a `clickhouse` program on the PATH, else the local server over chDB."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from devstack.errors import StackError
from devstack.ports import answers
from devstack.services.base import Service, write_private
from devstack.services.clickhouse_program import server_configuration
from devstack.settings import CLICKHOUSE_USER, HOST, Secrets, StackSettings


@dataclass(frozen=True)
class ClickHouseEndpoint:
    """Where the platform's programs reach ClickHouse, over HTTP and over the native protocol."""

    host: str
    http_port: int
    native_port: int
    user: str
    password: str
    secure: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.http_port}"


def clickhouse_endpoint(settings: StackSettings, secrets: Secrets) -> ClickHouseEndpoint:
    """The server of this stack: STIR_STACK_CLICKHOUSE_URL if given, else the local one."""
    if not settings.clickhouse_url:
        return ClickHouseEndpoint(
            HOST,
            settings.port("clickhouse_http"),
            settings.port("clickhouse_native"),
            CLICKHOUSE_USER,
            secrets.clickhouse_password,
        )
    parts = urlsplit(settings.clickhouse_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StackError(
            "STIR_STACK_CLICKHOUSE_URL is not of the form http(s)://user:password@host:port: correct it or unset it "
            "to use the local ClickHouse."
        )
    return ClickHouseEndpoint(
        host=parts.hostname,
        http_port=parts.port or (8443 if parts.scheme == "https" else 8123),
        native_port=settings.clickhouse_url_native_port,
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        secure=parts.scheme == "https",
    )


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
        return [sys.executable, "-m", "devstack.clickhouse", "serve"]

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
        if self.program:
            write_private(self.data / "config.xml", server_configuration(self.settings, self.secrets, self.data))

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
