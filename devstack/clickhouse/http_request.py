"""One HTTP request as ClickHouse reads it: credentials, statement, parameters, settings."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from devstack.clickhouse.content_encoding import decompress
from devstack.clickhouse.errors import ClickHouseError

# URL parameters that are no settings of the statement. Those from wait_end_of_query on are settings of a server's HTTP
# interface, without effect here: results are complete before the first byte is sent.
_NO_SETTINGS = frozenset(
    """
    query database default_format user password quota_key query_id session_id session_timeout session_check
    close_session stacktrace role compress decompress client_protocol_version
    wait_end_of_query buffer_size enable_http_compression http_zlib_compression_level send_progress_in_http_headers
    http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close
    add_http_cors_header http_response_headers http_write_exception_in_output_format
    """.split()  # noqa: SIM905
)


@dataclass
class HttpRequest:
    """Method, path, URL parameters, lower-case headers and the raw body of one request."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def credentials(self) -> tuple[str, str]:
        """User and password from X-ClickHouse-User/-Key, the Authorization header or the URL, in that order."""
        if "x-clickhouse-user" in self.headers or "x-clickhouse-key" in self.headers:
            return self.headers.get("x-clickhouse-user", "default"), self.headers.get("x-clickhouse-key", "")
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise ClickHouseError(
                    516, "Invalid authentication: the Authorization header is not Base64", "AUTHENTICATION_FAILED"
                ) from None
            return user, password
        return self.parameters.get("user", "default"), self.parameters.get("password", "")

    def statement(self) -> bytes:
        """The statement with any rows that follow it: the URL's `query`, then the body, decompressed."""
        body = decompress(self.headers.get("content-encoding", ""), self.body)
        if self.headers.get("content-type", "").startswith("multipart/form-data"):
            body = self._read_form(body)
        query = self.parameters.get("query", "").strip()
        return query.encode() + b"\n" + body if query else body

    def _read_form(self, body: bytes) -> bytes:
        """Take the parts of a form as if they were URL parameters. Returns the body left over: none."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
            name = part.get_param("name", header="content-disposition")
            if part.get_filename() is not None:
                raise ClickHouseError(48, "External tables are not supported by the local server", "NOT_IMPLEMENTED")
            self.parameters[str(name)] = part.get_payload(decode=True).decode()
        return b""

    @property
    def database(self) -> str:
        return self.parameters.get("database") or self.headers.get("x-clickhouse-database", "")

    @property
    def default_format(self) -> str:
        """The format for statements that name none. Raises ClickHouseError 73 if it is no name at all."""
        name = self.parameters.get("default_format") or self.headers.get("x-clickhouse-format", "")
        if name and not name.isidentifier():
            raise ClickHouseError(73, f"Unknown format {name}", "UNKNOWN_FORMAT")
        return name

    def settings(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.parameters.items()
            if name not in _NO_SETTINGS and not name.startswith("param_")
        }

    def query_parameters(self) -> dict[str, str]:
        """Values of `{name:Type}` placeholders, escaped as in a tab-separated file."""
        found = {
            name.removeprefix("param_"): value for name, value in self.parameters.items() if name.startswith("param_")
        }
        for name in found:
            if not name.isidentifier():
                raise ClickHouseError(36, f"Not a name of a query parameter: {name}", "BAD_ARGUMENTS")
        return found

    @classmethod
    def build(cls, method: str, path: str, query_string: bytes, headers: Mapping[str, str], body: bytes) -> HttpRequest:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
        return cls(method, path, dict(pairs), headers, body)
