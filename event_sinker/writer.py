"""Rows into ClickHouse: one block, one token, repeated until it is stored or proven impossible.

One writer per queue, used by one thread.
"""

from __future__ import annotations

import gc
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import clickhouse_connect
import lz4.frame
from clickhouse_connect.driver import options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.compression import Compressor
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.insert import InsertBlock
from tenacity import RetryCallState, Retrying, wait_random_exponential
from tenacity.nap import sleep_using_event
from urllib3.exceptions import HTTPError

from event_sinker import metrics
from event_sinker.claim import Claim
from event_sinker.errors import Abandoned, ErrorClass, SinkerError, classify, explain, server_code
from event_sinker.events import EventType
from event_sinker.parse import Row
from event_sinker.settings import Settings

log = logging.getLogger(__name__)

# Only lists are inserted here. Where pandas and numpy happen to be installed, the client would import them at the
# first insert: seconds on a busy machine and 60 MB, for nothing. None is what it sets itself when they are absent.
options.np = options.pd = options.pd_time_test = None
T = TypeVar("T")

_UNKNOWN_ATTEMPTS = 8  # an error that no list knows is repeated this often before rows are suspected
_TOKEN_SECONDS = 60  # after that, others may have written so much that ClickHouse remembers a block's token no longer
_HOPELESS_ROWS = 10  # when every row of a block this large is refused, the fault is not in the rows
_HOPELESS_SINGLES = 100  # the same for rows of a larger block that were tried one by one, while none went in
_LOOKUP_ROWS = 1000
_LOOKUP_BYTES = 4 << 20  # of ids and keys in one look-up
_UTC = ("UTC", "Etc/UTC", "Universal", "Zulu", "Etc/Universal", "Etc/Zulu", "GMT", "Etc/GMT")
_PING_SECONDS = 3  # a health check that waits longer is a bad answer itself


class _ChecksummedLz4(Compressor, tag="lz4", thread_safe=False):
    """In place of the client's own, whose frames carry no checksum: a bit that flips on its way would be stored."""

    def compress_block(self, block: bytes) -> bytes:
        return lz4.frame.compress(block, content_checksum=True)


def connect(settings: Settings, reply_seconds: float | None = None) -> Client:
    """A client of its own: no session, so that queries of several threads never wait for each other.

    `reply_seconds` is how long it waits for a reply; default: as long as for an insert.

    Raises:
        clickhouse_connect.driver.exceptions.Error: ClickHouse cannot be reached or refuses the login.
    """
    return clickhouse_connect.get_client(
        host=settings.clickhouse_host,
        port=settings.clickhouse_http_port,
        username=settings.clickhouse_user,
        password=settings.clickhouse_password.get_secret_value(),
        secure=settings.clickhouse_secure,
        ca_cert=settings.clickhouse_ca_file or None,
        compress=False if settings.clickhouse_compression == "none" else settings.clickhouse_compression,
        autogenerate_session_id=False,
        connect_timeout=5,
        send_receive_timeout=reply_seconds or settings.insert_timeout_seconds,
        client_name="event_sinker",
    )


def _blocks_while_claimed(blocks: Callable[[], Iterator[InsertBlock]], claim: Claim) -> Iterator[InsertBlock]:
    """The blocks of an insert, whose request ends only after a last look at the claim.

    Connecting, packing and sending take long enough for a suspended process to be in the midst of them. A request
    without its end is no insert: when the claim is lost by then, ClickHouse drops what has arrived.
    """
    yield from blocks()
    claim.require()


class Writer:
    """Writes the rows of one event type. `claim` in its methods is that to the messages which the rows come from.

    `dry_run`: nothing is written, and every row is accepted. `alarm`: when every row of a block is refused, the fault
    is not in the rows. That does not hold for rows of messages that were refused one by one before.
    """

    def __init__(self, event: EventType, settings: Settings, *, dry_run: bool = False, alarm: bool = True) -> None:
        self.event = event
        self.settings = settings
        self.trouble = ""  # why the last attempt failed, for /readyz: a server that answers may refuse inserts
        self._insert_trouble = ""  # the same of an insert: a look-up that succeeds does not end it
        self._dry_run = dry_run
        self._alarm = alarm
        self._client: Client | None = None
        self._inspected = False  # server and table are what the guarantee needs
        self._table = f"`{settings.clickhouse_database}`.`{event.table}`"
        self._types = [column.type for column in event.columns]
        self._id_index = event.column_names.index(event.id_column)
        self._key_indexes = [event.column_names.index(name) for name in event.order_by]
        self._lookup_texts = [
            event.column_names.index(column.name)
            for column in event.columns
            if column.type == "String" and column.name in {*event.order_by, event.id_column}
        ]

    def open(self) -> bool:
        """Connect ahead of the first batch: it takes seconds when the machine is busy and messages pour in meanwhile.

        Returns whether ClickHouse can be reached.

        Raises:
            SinkerError: the login is wrong. That ClickHouse is away is no reason not to start.
        """
        try:
            # First with little patience: a server that hangs must not hold up the start.
            connect(self.settings, reply_seconds=_PING_SECONDS).close()
            self._connected()
        except Exception as error:
            if classify(error) is ErrorClass.FATAL:
                raise SinkerError(f"ClickHouse: {explain(error)}") from error
            log.warning("ClickHouse cannot be reached yet", extra={"error": explain(error)})
            return False
        return True

    def write(self, batch_id: str, rows: Sequence[Row], claim: Claim) -> list[tuple[int, str]]:
        """Store the rows; return (index, reason) of each row that ClickHouse refuses, all others are stored.

        The same block keeps the same token over all attempts, so that an attempt whose reply was lost has no second
        effect. ClickHouse remembers the last tokens only: before a late attempt the ids are looked up as well.

        Raises:
            Abandoned: the messages went back to RabbitMQ meanwhile; what was stored will be found by id.
            SinkerError: no retry can help, a person must act.
        """
        if self._dry_run:
            return []
        refused: list[tuple[int, Exception]] = []
        accepted = False
        blocks = [range(len(rows))]
        while blocks:
            block = blocks.pop()
            # A part of a batch has been tried before: an error that no list knows is not waited out again.
            repeat = _repeat if len(block) == len(rows) else _repeat_known
            error = self._store(batch_id, rows, block, claim, repeat)
            if error is None:
                accepted = True
                continue
            # A part has a token of its own, so what the failed insert may have left must be known first.
            rest = self._without_stored(rows, block, claim)
            self.trouble = self._insert_trouble = explain(error)
            accepted |= len(rest) < len(block)
            if len(block) == len(rest) == 1:
                refused.append((rest[0], error))
                if not accepted and len(refused) >= _HOPELESS_SINGLES:
                    self._require_plausible(refused)
            elif rest:
                metrics.BISECTIONS.labels(self.event.queue).inc()
                middle = (len(rest) + 1) // 2
                blocks += [part for part in (rest[middle:], rest[:middle]) if part]
        if refused and not accepted:
            self._require_plausible(refused)
        still = self._still_refused(batch_id, rows, refused, claim)
        self.trouble = self._insert_trouble = ""
        return [(index, explain(error)) for index, error in still]

    def _still_refused(
        self, batch_id: str, rows: Sequence[Row], refused: Sequence[tuple[int, Exception]], claim: Claim
    ) -> list[tuple[int, Exception]]:
        """The refused rows but for those that go in now: an error that no list knows may have been the server's."""
        still = []
        repeat = _repeat  # with the patience of a whole batch, once
        for index, error in refused:
            last: Exception | None = error
            if classify(error) is ErrorClass.UNKNOWN:
                last = self._store(batch_id, rows, [index], claim, repeat)
                repeat = _repeat_known
            if last and (last is error or self._without_stored(rows, [index], claim)):
                still.append((index, last))
        return still

    def _store(
        self,
        batch_id: str,
        rows: Sequence[Row],
        block: Sequence[int],
        claim: Claim,
        repeat: Callable[[RetryCallState], bool],
    ) -> Exception | None:
        """Insert the rows with these indexes; returns the error for which one of them may be to blame, if any."""
        # A part lacks one of the ends of the block that it was cut from, so each has a token of its own.
        token = f"{self.event.table}:{batch_id}:{block[0]}-{block[-1] + 1}"
        rest = block
        trusted: float | None = None

        def insert() -> None:
            nonlocal rest, trusted
            if trusted is None:
                trusted = time.monotonic() + _TOKEN_SECONDS
            elif time.monotonic() >= trusted:
                rest = self._without_stored(rows, rest, claim)
            if rest:
                self._insert([rows[at] for at in rest], token, claim)

        try:
            self._persist("insert", insert, claim, repeat)
        except (Abandoned, SinkerError):
            raise
        except Exception as error:
            return error
        return None

    def _require_plausible(self, refused: Sequence[tuple[int, Exception]]) -> None:
        """Whether rows can be to blame at all, when each one that was tried was refused."""
        unknown = next((error for _, error in refused if classify(error) is ErrorClass.UNKNOWN), None)
        if unknown:
            raise SinkerError(
                f"{self._table}: ClickHouse fails in a way that the sinker does not know, and accepts no row: "
                f"{explain(unknown)}. If rows are to blame for it, add the code to event_sinker/errors.py"
            )
        if self._alarm and len(refused) >= _HOPELESS_ROWS:
            _, first = refused[0]
            raise SinkerError(f"{self._table}: ClickHouse refuses every one of {len(refused)} rows: {explain(first)}")

    def _insert(self, rows: Sequence[Row], token: str, claim: Claim) -> None:
        client = self._connected()
        if not self._inspected:
            self._inspect(client)
        context = client.create_insert_context(
            self._table,
            column_names=self.event.column_names,
            column_type_names=self._types,
            column_oriented=True,
            settings={
                "async_insert": 0,
                "insert_deduplicate": 1,
                "insert_deduplication_token": token,
                # Late events may touch many months; their number is bounded by the limits of the parser.
                "max_partitions_per_insert_block": 0,
                # The block is kept until the end of the request, whatever the server's profile says.
                "min_insert_block_size_rows": 1 << 20,
                "min_insert_block_size_bytes": 256 << 20,
            },
        )
        # One token names one block, so the rows travel as one block: the client would cut them every few megabytes.
        context.req_block_size = len(rows)
        context.data = list(zip(*rows, strict=True))
        context.next_block = partial(_blocks_while_claimed, context.next_block, claim)
        try:
            claim.require()  # before a request is open: this may wait
            written = client.insert(context=context).written_rows
        finally:
            # The context refers to itself: without this, every block stays in memory until the cycles are collected.
            context.data = context._block_columns = context._next_block_data = context.next_block = None
        if written != len(rows):
            self._require_all(rows, written)

    def _inspect(self, client: Client) -> None:
        """Once, before the first insert.

        Raises:
            SinkerError: the server's days are not UTC's, or its table forgets the tokens of blocks.
        """
        (time_zone,), *_ = client.query("SELECT serverTimezone()").result_rows
        if time_zone not in _UTC:
            raise SinkerError(
                f"ClickHouse's time zone is {time_zone}; partitions and days of events are those of UTC. Set "
                "<timezone>UTC</timezone> in its configuration and restart it"
            )
        found = client.query(
            "SELECT engine, create_table_query FROM system.tables WHERE database = %(database)s AND name = %(table)s",
            {"database": self.settings.clickhouse_database, "table": self.event.table},
        ).result_rows
        for engine, ddl in found:  # without a table the insert itself says so
            if engine.startswith("Merge") and not re.search(r"\bnon_replicated_deduplication_window = [1-9]", ddl):
                raise SinkerError(
                    f"{self._table} has no non_replicated_deduplication_window: a block whose reply is lost would be "
                    "stored twice. `python -m event_sinker init-schema` sets it"
                )
        self._inspected = True

    def _require_all(self, rows: Sequence[Row], written: int) -> None:
        """A server that reports another number of rows than it was sent is not believed before the ids are found.

        More are reported where a view writes as well. Rows without an id cannot be looked for.
        """
        missing = len(self._ids(rows) - self._stored_ids(rows))
        if written < len(rows):
            missing += sum(not row[self._id_index] for row in rows)
        if missing:
            raise SinkerError(
                f"{self._table}: ClickHouse confirmed an insert of {len(rows)} rows as {written}, and {missing} "
                "are not there. The messages stay in RabbitMQ. Look for a proxy or a view that alters inserts"
            )

    def stored_ids(self, rows: Sequence[Row], received: float, claim: Claim) -> set[str]:
        """Which of these rows (of messages that were delivered before) ClickHouse has already, by event id.

        `received` is the monotonic time at which the last of them arrived. The lookup waits until an insert that their
        previous holder may have sent in its last moment is either visible or gone.

        Raises:
            Abandoned, SinkerError: as `write`.
        """
        claim.wait(max(0.0, received + self.settings.redelivery_settle_seconds - time.monotonic()))
        return self._find(rows, claim)

    def _without_stored(self, rows: Sequence[Row], block: Sequence[int], claim: Claim) -> Sequence[int]:
        """Those indexes of a block whose rows are not stored."""
        stored = self._find([rows[at] for at in block], claim)
        return [at for at in block if rows[at][self._id_index] not in stored] if stored else block

    def _find(self, rows: Sequence[Row], claim: Claim) -> set[str]:
        """The ids of these rows that are stored once no insert runs any more."""
        self._persist("lookup", lambda: self._await_running_inserts(claim), claim, _repeat_lookup)
        return self._persist("lookup", lambda: self._stored_ids(rows), claim, _repeat_lookup)

    def _await_running_inserts(self, claim: Claim) -> None:
        """Wait for the inserts of sinkers into the table that run now.

        This writer's own last attempt may be among them, when its reply did not arrive in time.
        """
        source = "system.processes"
        settings = {}
        if self.settings.clickhouse_cluster:
            source = f"clusterAllReplicas('{self.settings.clickhouse_cluster}', system.processes)"
            settings = {"skip_unavailable_shards": 1}  # a replica that is down runs no insert
        inserts = f"SELECT query_id FROM {source} WHERE query_kind = 'Insert' AND startsWith(query, %(head)s)"  # noqa: S608

        def running() -> set[str]:
            parameters = {"head": f"INSERT INTO {self._table} "}
            rows = self._connected().query(inserts, parameters, settings=settings).result_rows
            return {query_id for (query_id,) in rows}

        pending = running()
        patience = time.monotonic() + self.settings.insert_timeout_seconds
        while pending and not claim.wait(0.1):
            pending &= running()
            if pending and time.monotonic() > patience:
                patience = float("inf")
                log.warning("an insert of another sinker takes long, waiting for it", extra={"table": self._table})

    def _stored_ids(self, rows: Sequence[Row]) -> set[str]:
        found: set[str] = set()
        chunk: list[Row] = []
        size = 0
        for row in rows:
            chunk.append(row)
            size += sum(len(row[index]) for index in self._lookup_texts)
            if len(chunk) >= _LOOKUP_ROWS or size >= _LOOKUP_BYTES:
                found |= self._select_ids(chunk)
                chunk, size = [], 0
        if chunk:
            found |= self._select_ids(chunk)
        return found

    def _select_ids(self, rows: Sequence[Row]) -> set[str]:
        ids = self._ids(rows)
        if not ids:
            return set()
        # The sort key finds the few granules to read; the id alone would read every id of the month.
        id_column, order_by = self.event.id_column, self.event.order_by
        keys = f"({', '.join(order_by)}) IN %(keys)s AND " if order_by != (id_column,) else ""
        result = self._connected().query(
            f"SELECT {id_column} FROM {self._table} WHERE {keys}{id_column} IN %(ids)s",  # noqa: S608
            {
                "keys": tuple({tuple(row[index] for index in self._key_indexes) for row in rows}),
                "ids": tuple(ids),
            },
            settings={
                "max_query_size": 64 << 20,
                "max_ast_elements": 1_000_000,
                "max_expanded_ast_elements": 1_000_000,
            },
        )
        return {event_id for (event_id,) in result.result_rows}

    def _ids(self, rows: Sequence[Row]) -> set[str]:
        """The ids of these rows; some events have none."""
        return {row[self._id_index] for row in rows} - {""}

    def ping(self) -> bool:
        """Whether ClickHouse answers now. For the health check's own thread, hence with its own connection."""
        try:
            with connect(self.settings, reply_seconds=_PING_SECONDS) as client:
                return client.ping()
        except Exception:
            return False

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self.settings)
        return self._client

    def _persist(
        self,
        target: str,
        action: Callable[[], T],
        claim: Claim,
        repeat: Callable[[RetryCallState], bool],
    ) -> T:
        """Run the action until it succeeds or cannot; between attempts, back off until the claim is lost."""

        def attempt() -> T:
            if claim.lost:
                raise Abandoned
            result = action()
            if target == "insert":
                self._insert_trouble = ""
            self.trouble = self._insert_trouble
            return result

        retrying = Retrying(
            sleep=sleep_using_event(claim),
            wait=wait_random_exponential(multiplier=0.2, max=self.settings.retry_max_seconds),
            retry=repeat,
            before_sleep=lambda state: self._report(target, state),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except Abandoned:
            self.trouble = self._insert_trouble = ""  # not known any more: the next batch will tell
            raise
        except Exception as error:
            if classify(error) is ErrorClass.FATAL:
                raise SinkerError(f"{self._table}: {explain(error)}") from error
            raise

    def _report(self, target: str, state: RetryCallState) -> None:
        error = state.outcome.exception()
        code = server_code(error)
        self.trouble = explain(error)
        if target == "insert":
            self._insert_trouble = self.trouble
        # The failed attempt hangs in a cycle of exception and frames, and its block with it; the collector comes rarely
        # here, and while ClickHouse is away this would grow without end.
        gc.collect()
        metrics.RETRIES.labels(self.event.queue, f"clickhouse {target}", str(code or "network")).inc()
        log.warning(
            "%s failed, will be repeated",
            target,
            extra={
                "queue": self.event.queue,
                "attempt": state.attempt_number,
                "pause_ms": round(1000 * state.next_action.sleep),
                "error": self.trouble,
            },
        )


def _verdict(state: RetryCallState) -> ErrorClass | None:
    error = state.outcome.exception()
    return None if error is None or isinstance(error, Abandoned | SinkerError) else classify(error)


def _repeat_known(state: RetryCallState) -> bool:
    return _verdict(state) is ErrorClass.RETRY


def _repeat(state: RetryCallState) -> bool:
    unknown = _verdict(state) is ErrorClass.UNKNOWN and state.attempt_number < _UNKNOWN_ATTEMPTS
    return unknown or _repeat_known(state)


def _repeat_lookup(state: RetryCallState) -> bool:
    """No row can be to blame for a failed question: whatever no person must mend is repeated."""
    return _verdict(state) not in {None, ErrorClass.FATAL} and isinstance(
        state.outcome.exception(), ClickHouseError | HTTPError | OSError
    )
