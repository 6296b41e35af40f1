"""ClickHouse's errors: code, name and message as a server sends them, and the HTTP status of each."""

from __future__ import annotations

import re

_ENGINE_MESSAGE = re.compile(r"Code: (\d+)\. (?:DB::(?:Net)?Exception: )?(.*)", re.DOTALL)
_NAME = re.compile(r" ?\(([A-Z][A-Z0-9_]+)\)( \(version [^)]*\))?\.?\s*$")
_VERSION = re.compile(r"\s*\(version [0-9][^)]*\)\.?\s*$")

AUTHENTICATION_FAILED = 516

# As src/Server/HTTP/exceptionCodeToHTTPStatus.cpp does; every code that is not listed is a 500.
_STATUS = {
    194: 401,
    **dict.fromkeys((192, 193, 497, 516), 403),
    **dict.fromkeys((6, 25, 26, 27, 38, 41, 43, 47, 53, 62, 69, 72, 117, 167, 168, 441, 675, 676), 400),
    **dict.fromkeys((25, 36, 49, 456, 457), 400),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 107, 115, 142, 511), 404),
    159: 408,
    381: 411,
    **dict.fromkeys((161, 223), 413),
    48: 501,
    **dict.fromkeys((439, 745), 503),
}


class ClickHouseError(Exception):
    """One error of the engine or of the server, to be sent to the client.

    `message` stands for itself, without code, name and version.
    """

    def __init__(self, code: int, message: str, name: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.name = name

    @classmethod
    def from_engine(cls, error: BaseException) -> ClickHouseError:
        """Read code, message and name out of an exception of the engine's Python binding."""
        text = str(error)
        match = _ENGINE_MESSAGE.search(text)
        if match is None:
            return cls(1001, text or type(error).__name__, "STD_EXCEPTION")
        while (inner := _ENGINE_MESSAGE.match(match.group(2))) is not None:  # the engine wraps some errors twice
            match = inner
        message = _VERSION.sub("", match.group(2)).rstrip()
        name = _NAME.search(message)
        if name is None:
            return cls(int(match.group(1)), message, "UNKNOWN")
        return cls(int(match.group(1)), message[: name.start()].rstrip(), name.group(1))

    @property
    def http_status(self) -> int:
        return _STATUS.get(self.code, 500)

    def text(self, version: str) -> str:
        """The line that clients print: `Code: 60. DB::Exception: ... (UNKNOWN_TABLE) (version 26.9.2.1)`."""
        return f"Code: {self.code}. DB::Exception: {self.message} ({self.name}) (version {version})"
