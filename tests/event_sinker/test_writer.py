"""Blocks and look-ups against a real ClickHouse."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest

from event_sinker import writer as writer_module
from event_sinker.claim import Claim
from event_sinker.errors import Abandoned, SinkerError
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser
from event_sinker.writer import Writer, connect
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


def test_a_table_that_forgets_the_tokens_of_blocks_is_refused(world: SinkerWorld) -> None:
    """Made by hand, or from SHOW CREATE without its settings."""
    event = EVENT_TYPES["profile_log"]
    row = Parser(event).row(orjson.dumps(profile_event()), NOW, "batch")
    with connect(world.settings) as client:
        table = f"{world.settings.clickhouse_database}.{event.table}"
        client.command(f"ALTER TABLE {table} RESET SETTING non_replicated_deduplication_window")
    with pytest.raises(SinkerError, match=r"has no non_replicated_deduplication_window: .* init-schema` sets it"):
        Writer(event, world.settings).write("b", [row], Claim())
    assert world.rows() == 0


def test_a_server_with_other_days_than_utc_is_refused(world: SinkerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_UTC", ("GMT",))  # so that the time zone of the test's server is another one
    event = EVENT_TYPES["profile_log"]
    row = Parser(event).row(orjson.dumps(profile_event()), NOW, "batch")
    with pytest.raises(SinkerError, match=r"ClickHouse's time zone is UTC; .* Set <timezone>UTC</timezone>"):
        Writer(event, world.settings).write("b", [row], Claim())


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


class OthersWriteMeanwhile(Claim):
    """While the writer waits for its next attempt, another sinker writes more blocks than ClickHouse has tokens for."""

    def __init__(self, write: Callable[[], None]) -> None:
        super().__init__()
        self._write: Callable[[], None] | None = write

    def wait(self, timeout: float) -> bool:
        write, self._write = self._write, None
        if write:
            write()
        return super().wait(timeout)


def test_a_late_attempt_does_not_rely_on_its_token(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is lost, and by the next attempt the token is forgotten: the ids tell what is stored."""
    monkeypatch.setattr(writer_module, "_TOKEN_SECONDS", 0)
    event = EVENT_TYPES["profile_log"]
    world.query(f"ALTER TABLE DB.{event.table} MODIFY SETTING non_replicated_deduplication_window = 2")
    parse = Parser(event).row
    rows = [parse(orjson.dumps(profile_event()), NOW, "b") for _ in range(10)]
    others = [parse(orjson.dumps(profile_event()), NOW, "o") for _ in range(5)]
    another = Writer(event, world.settings)

    def write_others() -> None:
        for at, row in enumerate(others):
            another.write(f"other-{at}", [row], Claim())

    clickhouse_faults.answer(252, times=1, stored=True)
    behind_faults = world.settings.model_copy(update={"clickhouse_http_port": clickhouse_faults.port})
    assert Writer(event, behind_faults).write("b", rows, OthersWriteMeanwhile(write_others)) == []
    assert world.stored() == {row[0]: 1 for row in rows + others}


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


def test_a_fault_of_the_whole_table_is_noticed_early_and_shows_meanwhile(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Not after one insert for each of a thousand rows; /readyz is not ready while rows are refused one by one."""
    event = EVENT_TYPES["profile_log"]
    writer = Writer(event, world.settings.model_copy(update={"clickhouse_http_port": clickhouse_faults.port}))
    parse = Parser(event).row
    rows = [parse(orjson.dumps(profile_event()), NOW, "b") for _ in range(1000)]
    clickhouse_faults.answer(53, times=5000)
    with pytest.raises(SinkerError, match="refuses every one of 100 rows"):
        writer.write("b", rows, Claim())
    assert len(clickhouse_faults.tokens) < 250
    assert "53" in writer.trouble
    clickhouse_faults.mend()
    assert writer.write("b", rows, Claim()) == []
    assert writer.trouble == ""


def test_many_bad_rows_after_a_good_one_are_all_found(world: SinkerWorld) -> None:
    event = EVENT_TYPES["profile_log"]
    world.query(f"ALTER TABLE DB.{event.table} ADD CONSTRAINT c CHECK profile_id != 'refused'")
    writer = Writer(event, world.settings)
    rows = [
        Parser(event).row(orjson.dumps(profile_event(profile_id="refused" if at else "good")), NOW, "b")
        for at in range(130)
    ]
    assert len(writer.write("b", rows, Claim())) == 129
    assert writer.trouble == ""


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
