"""Blocks and look-ups against a real ClickHouse."""

from __future__ import annotations

import time

import orjson
import pytest

from event_sinker import writer as writing
from event_sinker.claim import Claim
from event_sinker.errors import Abandoned, SinkerError
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser
from event_sinker.writer import _UNKNOWN_ATTEMPTS, Writer
from tests.event_sinker.sample_events import sample_event
from tests.fault.clickhouse_faults import ClickHouseFaults
from tests.fault.sinker_process import SinkerWorld, profile_event

pytestmark = pytest.mark.integration

NOW = int(time.time())


def test_a_server_that_stores_less_than_it_confirms_is_not_believed(world: SinkerWorld) -> None:
    """When the confirmed number differs from what was sent, the ids decide."""
    event = EVENT_TYPES["profile_log"]
    writer = Writer(event, world.settings)
    row = Parser(event).row(orjson.dumps(profile_event()), NOW, "batch")
    with pytest.raises(SinkerError, match="1 are not there"):
        writer._require_all([row], written=0)
    writer.write("b", [row], Claim())
    writer._require_all([row], written=0)


def test_rows_without_an_id_cannot_be_looked_for(world: SinkerWorld) -> None:
    """More rows than were sent are reported where a materialized view writes too; fewer mean that some may be lost."""
    world.serve("launch_refer")
    event = EVENT_TYPES["launch_refer"]
    writer = Writer(event, world.settings)
    rows = [
        Parser(event).row(orjson.dumps(sample_event("launch_refer", eventId=event_id)), NOW, "batch")
        for event_id in ("e-1", None)
    ]
    writer.write("b", rows, Claim())
    writer._require_all(rows, written=4)
    with pytest.raises(SinkerError, match="1 are not there"):
        writer._require_all(rows, written=1)


class LostOnTheWay(Claim):
    """Ours when the insert starts, RabbitMQ's when the block has been sent."""

    looks = 0

    def require(self) -> None:
        self.looks += 1
        if self.looks == 2:
            self.give_up()
        super().require()


def test_a_claim_that_is_lost_while_the_block_is_on_its_way(world: SinkerWorld) -> None:
    """A process may be suspended in the midst of a request. What it leaves unfinished stores nothing."""
    event = EVENT_TYPES["profile_log"]
    writer = Writer(event, world.settings)
    rows = [Parser(event).row(orjson.dumps(profile_event()), NOW, "batch") for _ in range(200)]
    claim = LostOnTheWay()
    with pytest.raises(Abandoned):
        writer.write("b", rows, claim)
    assert claim.looks == 2
    time.sleep(1)
    assert world.rows() == 0
    assert writer.write("b", rows, Claim()) == []
    assert world.rows() == 200


def test_a_block_that_is_half_stored_is_completed(world: SinkerWorld) -> None:
    """A block is refused, some of its rows are there already: each of the others goes in, once, but for the bad one."""
    event = EVENT_TYPES["profile_log"]
    world.query(f"ALTER TABLE DB.{event.table} ADD CONSTRAINT c CHECK profile_id != 'refused'")
    writer = Writer(event, world.settings)
    rows = [
        Parser(event).row(orjson.dumps(profile_event(profile_id="refused" if at == 9 else str(at))), NOW, "b")
        for at in range(21)
    ]
    assert writer.write("earlier", [rows[at] for at in (0, 3, 4, 20)], Claim()) == []
    ((index, reason),) = writer.write("b", rows, Claim())
    assert index == 9
    assert "constraint" in reason.lower()
    assert world.stored() == {row[0]: 1 for at, row in enumerate(rows) if at != 9}


def test_the_lookup_finds_rows_whatever_their_keys_contain(world: SinkerWorld) -> None:
    event = EVENT_TYPES["profile_log"]
    writer = Writer(event, world.settings)
    texts = ["a'b", "a\\b", "a\nb", "%(ids)s", "%s", "", "😀", "\u0000", '"', "{x:String}"]
    parse = Parser(event).row
    rows = [parse(orjson.dumps(profile_event(profile_id=text, event_id=f"id-{text}")), NOW, "b") for text in texts]
    assert writer.write("b", rows[:-1], Claim()) == []
    assert writer.stored_ids(rows, time.monotonic(), Claim()) == {f"id-{text}" for text in texts[:-1]}


def test_a_large_batch_is_one_block(world: SinkerWorld) -> None:
    """Several blocks under one token would count as repetitions of the first; all rows must be there, in one part."""
    world.start(batch_rows=9500, prefetch=20_000, batch_max_rows=9500, batch_seconds=60)
    with world.connection() as connection:
        channel = connection.channel()
        for _ in range(9500):
            event = profile_event()
            channel.basic_publish("beat.dx", "profile_log_events", orjson.dumps(event))
            world.sent.append(event["event_id"])
    world.assert_each_stored_once()
    database = world.settings.clickhouse_database
    assert world.query(f"SELECT count() FROM system.parts WHERE database = '{database}' AND level = 0") == [(1,)]


def test_a_large_batch_of_wide_rows_is_stored_whole(world: SinkerWorld) -> None:
    """The client would cut such a batch into several blocks, of which one deduplication token keeps only the first."""
    world.send(1_200, dimensions={"bio": "x" * 6_000})
    world.start(batch_rows=1_200, batch_bytes=16 << 20, batch_seconds=30)

    world.assert_each_stored_once()


def test_late_events_of_many_months_fit_into_one_insert(world: SinkerWorld) -> None:
    """ClickHouse refuses an insert into more than 100 partitions unless told otherwise."""
    world.start(batch_seconds=2)
    world.publish(
        profile_event(event_timestamp=f"{2012 + month // 12}-{1 + month % 12:02}-15 00:00:00") for month in range(150)
    )
    world.assert_each_stored_once()


class BusyOthers(Claim):
    """While this holder waits to repeat its block, another sinker writes."""

    def __init__(self, write) -> None:
        super().__init__()
        self._write = write

    def wait(self, timeout: float) -> bool:
        self._write()
        return super().wait(timeout)


def test_a_block_that_outlives_its_token_is_looked_up(world: SinkerWorld, monkeypatch) -> None:
    """Its reply is lost, and so many blocks of others follow that ClickHouse does not know the token any more."""
    monkeypatch.setattr(writing, "_RELOOK_SECONDS", 0)
    event = EVENT_TYPES["profile_log"]
    world.query(f"ALTER TABLE DB.{event.table} MODIFY SETTING non_replicated_deduplication_window = 2")
    other = Writer(event, world.settings)
    parse = Parser(event).row
    rows = [parse(orjson.dumps(profile_event()), NOW, "b") for _ in range(5)]
    others = []

    def write() -> None:
        for _ in range(5):
            others.append(parse(orjson.dumps(profile_event()), NOW, "b"))
            other.write(f"o-{len(others)}", others[-1:], Claim())

    with ClickHouseFaults(world.settings.clickhouse_http_port) as faults:
        writer = Writer(event, world.settings.model_copy(update={"clickhouse_http_port": faults.port}))
        faults.answer(241, times=1, stored=True)
        assert writer.write("b", rows, BusyOthers(write)) == []
    assert len(others) >= 5
    assert world.stored() == {row[0]: 1 for row in rows + others}


def test_an_unknown_code_that_ends_during_the_halving_blames_no_row(world: SinkerWorld) -> None:
    event = EVENT_TYPES["profile_log"]
    rows = [Parser(event).row(orjson.dumps(profile_event()), NOW, "b") for _ in range(8)]
    with ClickHouseFaults(world.settings.clickhouse_http_port) as faults:
        writer = Writer(event, world.settings.model_copy(update={"clickhouse_http_port": faults.port}))
        faults.answer(9999, times=_UNKNOWN_ATTEMPTS + 4)  # the block, 4 rows, 2 rows, and two single rows
        assert writer.write("b", rows, Claim()) == []
    assert world.stored() == {row[0]: 1 for row in rows}


def test_a_fault_of_the_table_is_noticed_before_every_row_was_tried(world: SinkerWorld) -> None:
    event = EVENT_TYPES["profile_log"]
    rows = [Parser(event).row(orjson.dumps(profile_event()), NOW, "b") for _ in range(1000)]
    with ClickHouseFaults(world.settings.clickhouse_http_port) as faults:
        writer = Writer(event, world.settings.model_copy(update={"clickhouse_http_port": faults.port}))
        faults.answer(53, times=3000)
        with pytest.raises(SinkerError, match="refuses every one of 100 rows"):
            writer.write("b", rows, Claim())
        assert len(faults.tokens) < 300
    assert writer.trouble
    assert world.rows() == 0
