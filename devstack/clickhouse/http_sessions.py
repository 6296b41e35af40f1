"""HTTP sessions: requests with the same session_id share settings, database and temporary tables."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devstack.clickhouse.engine import Engine, Session
from devstack.clickhouse.errors import ClickHouseError

DEFAULT_TIMEOUT = 60.0  # seconds, as default_session_timeout of a server
MAX_TIMEOUT = 3600.0


@dataclass
class _Kept:
    session: Session
    expires: float = 0.0


class HttpSessions:
    """The named sessions of one server. A session is forgotten when it was idle for its timeout."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[str, _Kept] = {}
        self._guard = threading.Lock()

    @contextmanager
    def use(
        self, session_id: str, timeout: float = DEFAULT_TIMEOUT, must_exist: bool = False, close: bool = False
    ) -> Iterator[Session]:
        """The session of that id for one request; a fresh one, closed afterwards, for an empty id.

        With `close` the named session ends with this request, too. Raises ClickHouseError 373 while another request
        uses it, and 372 if it must exist and does not.
        """
        if not session_id:
            session = self._engine.session()
            try:
                yield session
            finally:
                session.close()
            return
        kept = self._acquire(session_id, must_exist)
        try:
            yield kept.session
        finally:
            with self._guard:
                kept.expires = time.monotonic() + min(timeout, MAX_TIMEOUT)
                if close:
                    del self._kept[session_id]
                    kept.session.close()
                kept.session.lock.release()

    def _acquire(self, session_id: str, must_exist: bool) -> _Kept:
        with self._guard:
            self._forget_expired()
            kept = self._kept.get(session_id)
            if kept is None:
                if must_exist:
                    raise ClickHouseError(372, f"Session {session_id} not found", "SESSION_NOT_FOUND")
                kept = self._kept[session_id] = _Kept(self._engine.session())
            if not kept.session.lock.acquire(blocking=False):
                raise ClickHouseError(
                    373, f"Session {session_id} is locked by a concurrent client", "SESSION_IS_LOCKED"
                )
            return kept

    def _forget_expired(self) -> None:
        now = time.monotonic()
        for session_id, kept in list(self._kept.items()):
            if 0 < kept.expires < now and kept.session.lock.acquire(blocking=False):
                del self._kept[session_id]
                kept.session.close()

    def close(self) -> None:
        """Forget all of them, when no request runs any more."""
        with self._guard:
            for kept in self._kept.values():
                kept.session.close()
            self._kept.clear()
