"""Which ClickHouse the platform talks to: the one that the user named, else the local one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from devstack.errors import StackError
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
            "STIR_STACK_CLICKHOUSE_URL is not of the form http(s)://user:password@host:port: correct it, or unset it "
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
