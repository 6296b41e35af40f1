"""One JSON object per log line on stderr: time (UTC), level, message, and the fields given as `extra`."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

import orjson

_STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON. Message bodies never get here: they may hold personal data."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except orjson.JSONEncodeError:  # half a surrogate pair in a text, an integer of more than 64 bits
            return json.dumps(entry, default=str)


def configure(level: str) -> None:
    """Send all logs of the process to stderr as JSON. Libraries log warnings only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("WARNING")
    logging.getLogger("event_sinker").setLevel(level)
    # They report each failed attempt with a traceback; the sinker logs the same fact in one line.
    for noisy in ("pika", "clickhouse_connect", "urllib3"):
        logging.getLogger(noisy).setLevel("CRITICAL")
