"""Load of the parts of a file by several database sessions side by side. One session keeps one core of the database
host busy, mostly with taking JSON apart.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from stir.serving.load import one_writer
from stir.serving.naming import RunNames

if TYPE_CHECKING:
    import psycopg2.extensions

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that cancelled sessions have to end. Those of a server that cannot be reached do not."""


class LoadFailed(Exception):
    """A part could not be loaded, or the load was ended from outside. The message says which part and why."""


class LoadInSessions:
    """One load: `create` is the transaction that creates the table, `parts` are those that fill it, each in a session
    of its own; `connect` opens a session for a purpose.

    A further session holds the target's advisory lock from before the table is created until all parts are committed.
    """

    def __init__(
        self,
        names: RunNames,
        create: str,
        parts: Sequence[str],
        connect: Callable[[str], psycopg2.extensions.connection],
    ) -> None:
        self._names = names
        self._create = create
        self._parts = parts
        self._connect = connect
        # A signal handler may put into this queue while its own thread waits for it.
        self._outcomes: SimpleQueue[tuple[int, BaseException | None]] = SimpleQueue()

    def run(self) -> None:
        """Create the table and load all parts, or leave no table.

        After a crash a table may be left; it carries the run's tag, and the next try or the clean-up drops it. Raises
        LoadFailed, or psycopg2.Error before the first part.
        """
        with closing(self._connect("load")) as holder, holder.cursor() as lock:
            lock.execute(f"set local idle_in_transaction_session_timeout = 0;\n{one_writer(self._names.target)}")
            try:
                with closing(self._connect("load")) as session:
                    _run(session, self._create)
                self._load_parts()
                lock.execute("select 'no other run could write until now'")
            except BaseException:
                self._drop_table()
                raise

    def cancel(self) -> None:
        """Make `run` cancel its sessions and fail. For signal handlers and other threads."""
        self._outcomes.put((0, None))

    def _load_parts(self) -> None:
        with ExitStack() as opened:
            sessions = [
                opened.enter_context(closing(self._connect(f"load {part}"))) for part in range(1, len(self._parts) + 1)
            ]
            opened.pop_all()  # from here on each is closed by its thread
        threads = [
            Thread(target=self._load_part, args=(part, session, statements), daemon=True)
            for part, (session, statements) in enumerate(zip(sessions, self._parts, strict=True), start=1)
        ]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                part, error = self._outcomes.get()
                if not part:
                    raise LoadFailed("the load was ended from outside")
                if error:
                    raise LoadFailed(f"part {part} of {len(self._parts)}: {str(error).strip()}") from error
        except BaseException:
            _cancel(sessions, threads)
            raise

    def _load_part(self, part: int, session: psycopg2.extensions.connection, statements: str) -> None:
        failure = None
        try:
            with closing(session):
                _run(session, statements)
        except BaseException as error:
            failure = error
        self._outcomes.put((part, failure))

    def _drop_table(self) -> None:
        import psycopg2

        tables = f"{self._names.staged_table}, {self._names.working_table}"
        try:
            with closing(self._connect("load")) as session:
                _run(session, f"set local lock_timeout = '10s';\ndrop table if exists {tables};")
        except psycopg2.Error as error:
            log.warning("%s not dropped; the next try or the clean-up does it: %s", tables, str(error).strip())


def _run(session: psycopg2.extensions.connection, statements: str) -> None:
    """One transaction. After an error the session is only good to be closed, which ends the transaction."""
    log.info("executing:\n%s", statements)
    session.cursor().execute(statements)
    session.commit()


def _cancel(sessions: Sequence[psycopg2.extensions.connection], threads: Sequence[Thread]) -> None:
    """Until all have ended: a request that comes between two statements cancels nothing."""
    import psycopg2

    until = time.monotonic() + PATIENCE
    while running := [each for each in zip(sessions, threads, strict=True) if each[1].is_alive()]:
        if time.monotonic() > until:
            log.warning("%d sessions cannot be cancelled", len(running))
            return
        for session, thread in running:
            with suppress(psycopg2.Error):
                session.cancel()
            thread.join(1)
