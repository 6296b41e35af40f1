"""HTTP for machines: /livez (the I/O loop turns), /readyz (RabbitMQ and ClickHouse can be used), /metrics."""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from event_sinker.errors import SinkerError
from event_sinker.metrics import REGISTRY
from event_sinker.service import Service

log = logging.getLogger(__name__)

_STALLED_SECONDS = 30
_PING_CACHE_SECONDS = 2.0
_SILENT_SECONDS = 10  # a client that says nothing for so long is left


class Health:
    """The state of a service, as seen from outside."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._pinged_at = float("-inf")
        self._ping = False

    def live(self) -> tuple[bool, dict[str, object]]:
        seconds = time.monotonic() - self._service.alive_at
        return seconds < _STALLED_SECONDS, {"loop_turned_seconds_ago": round(seconds, 3)}

    def ready(self) -> tuple[bool, dict[str, object]]:
        """All queues are subscribed and what comes is stored. `reasons`: why not, by server or queue."""
        consumers = self._service.consumers
        subscribed = {consumer.event.queue: True for consumer in consumers}
        stores = dict(subscribed)
        reasons: dict[str, str] = {}
        if self._service.broker_trouble:
            reasons["rabbitmq"] = self._service.broker_trouble
        for consumer in consumers:
            subscribed[consumer.event.queue] &= consumer.subscribed
            if trouble := consumer.flusher.trouble:
                stores[consumer.event.queue] = False
                reasons[consumer.event.queue] = trouble
        stopped = {consumer.event.queue: str(consumer.stopped) for consumer in consumers if consumer.stopped}
        clickhouse = self._clickhouse()
        ready = all(subscribed.values()) and all(stores.values()) and clickhouse and not stopped
        return ready, {
            "subscribed": subscribed,
            "stores": stores,
            "clickhouse": clickhouse,
            "reasons": reasons,
            "stopped": stopped,
        }

    def _clickhouse(self) -> bool:
        with self._lock:
            if time.monotonic() - self._pinged_at > _PING_CACHE_SECONDS:
                self._ping = self._service.consumers[0].flusher.writer.ping()
                self._pinged_at = time.monotonic()
            return self._ping


def serve(service: Service, host: str, port: int) -> ThreadingHTTPServer:
    """Answer in a thread of its own.

    Raises:
        SinkerError: the port is taken.
    """
    health = Health(service)

    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENT_SECONDS

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
            elif path in {"/livez", "/readyz"}:
                fine, details = health.live() if path == "/livez" else health.ready()
                self._answer(200 if fine else 503, "application/json", orjson.dumps({"ok": fine} | details))
            else:
                self._answer(404, "text/plain", b"/livez /readyz /metrics\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are not worth a log line."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, _request: object, client_address: object) -> None:
            """A client that goes away in the middle of an answer; everything else here cannot fail."""
            log.debug("health check failed", extra={"client": str(client_address)}, exc_info=True)

    try:
        server = Server((host, port), Handler)
    except OSError as error:
        raise SinkerError(f"SINKER_HTTP_PORT {port} on {host} cannot be used: {error.strerror}") from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
