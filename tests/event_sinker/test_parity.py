"""`parity` against a real PostgreSQL and a real ClickHouse: what is equal, what differs, what is shown."""

from __future__ import annotations

import json

import pytest

from event_sinker.parity import sample as parity_sample
from event_sinker.parity.command import EXIT_DIFFERENT
from event_sinker.parity.facts import LOG_TABLES
from event_sinker.writer import connect
from tests.event_sinker.dual_write import NOON, DualWrite, verdicts

pytestmark = pytest.mark.integration


# --- what is equal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", LOG_TABLES)
def test_equal_data(writes: DualWrite, compare, event_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity_sample, "_ENTITIES_AT_ONCE", 2)  # so that a small sample takes several steps
    entity = LOG_TABLES[event_type].entity[-1]
    for day in ("2026-03-02", "2026-03-04"):
        for number in range(5):
            for platform in ("INSTAGRAM", "YOUTUBE"):
                writes.both(f"{day} 08:00:0{number}.75", event_type, platform=platform, **{entity: f"it's {number}"})
    report = compare(event_type=event_type)
    assert verdicts(report) == ["equal"] * 3
    first = report["days"][0]
    assert (first["postgres_rows"], first["clickhouse_rows"], first["difference"]) == (10, 10, 0)
    assert first["platforms"]["YOUTUBE"]["postgres_entities"] == 5
    assert report["days"][1]["postgres_rows"] == 0
    assert report["sample"] | {"differences": []} == report["sample"]
    assert (report["sample"]["entities"], report["sample"]["matched"]) == (10, 20)


def test_an_unknown_owner_and_an_absent_document_are_equal_on_both_sides(writes: DualWrite, compare) -> None:
    writes.both(NOON, profile_id=None, source=None, metrics=None)
    writes.both(NOON, profile_id="", dimensions={})
    report = compare()
    assert (report["equal"], report["sample"]["matched"], report["days"][1]["postgres_entities"]) == (True, 2, 1)


def test_duplicate_keys_keep_the_last_value(writes: DualWrite, compare) -> None:
    writes.log(NOON, metrics='[{"key": "followers", "value": 1}, {"key": "followers", "value": 2}]')
    writes.publish("2026-03-03 12:00:01", metrics={"followers": 2})
    assert compare()["equal"]


def test_equal_facts_of_one_profile_are_matched_one_to_one(writes: DualWrite, compare) -> None:
    for second in (0, 1, 1, 50):
        writes.both(f"2026-03-03 12:00:{second:02}")
    report = compare()
    assert (report["equal"], report["sample"]["matched"]) == (True, 4)


@pytest.mark.parametrize("event_type", ["profile_log", "post_activity_log"])  # jsonb, and text
def test_big_integers_are_compared_to_the_last_digit(writes: DualWrite, compare, event_type: str) -> None:
    writes.both(NOON, event_type, metrics={"hash": 18446744073709551615, "id": 9007199254740993})
    assert compare(event_type=event_type)["equal"]
    writes.log("2026-03-03 13:00:00", event_type, metrics={"hash": 18446744073709551615, "id": 9007199254740993})
    writes.publish("2026-03-03 13:00:01", event_type, metrics={"hash": 18446744073709551614, "id": 9007199254740993})
    report = compare(event_type=event_type)
    assert [one["keys"] for one in report["sample"]["differences"]] == [["metrics.hash"]]


def test_an_event_that_was_delivered_twice_counts_once(writes: DualWrite, compare) -> None:
    writes.log(NOON)
    for _ in range(2):
        writes.publish("2026-03-03 12:00:01", event_id="the same")
        writes.store()
    with connect(writes.settings) as client:
        table = f"{writes.settings.clickhouse_database}.profile_log_events"
        assert client.query(f"SELECT count() FROM {table}").result_rows == [(2,)]
    assert compare()["equal"]


# --- what differs -----------------------------------------------------------------------------------------------------


def test_a_lost_event(writes: DualWrite, compare) -> None:
    writes.both("2026-03-02 09:00:00")
    writes.both(NOON, platform="YOUTUBE")
    writes.log("2026-03-03 15:00:00")
    report = compare()
    assert verdicts(report) == ["equal", "missing in ClickHouse", "equal"]
    day = report["days"][1]
    assert (day["difference"], day["percent"], day["missing_in_clickhouse"]) == (-1, -50, 1)
    assert day["platforms"]["YOUTUBE"]["verdict"] == "equal"
    (difference,) = report["sample"]["differences"]
    assert difference["kind"] == "missing in ClickHouse"
    assert difference["entity"] == {"platform": "INSTAGRAM", "profile_id": "1"}
    assert difference["scraped_at"] == "2026-03-03 15:00:00"
    assert difference["postgres_id"] == "3"


def test_an_entity_that_is_missing_wholly(writes: DualWrite, compare) -> None:
    writes.both(NOON)
    writes.log(NOON, profile_id="lost")
    writes.publish("2026-03-03 12:00:00", profile_id="invented \0")  # PostgreSQL could not even be asked for it
    report = compare()
    assert report["sample"]["entities"] == 3
    found = {one["entity"]["profile_id"]: one["kind"] for one in report["sample"]["differences"]}
    assert found == {"lost": "missing in ClickHouse", "invented \0": "only in ClickHouse"}
    assert report["days"][1]["difference"] == 0  # the counts alone would not have told


def test_a_doubled_event(writes: DualWrite, compare) -> None:
    writes.both(NOON)
    writes.publish("2026-03-03 12:00:09", event_id="again")
    report = compare()
    assert verdicts(report)[1] == "only in ClickHouse"
    (difference,) = report["sample"]["differences"]
    assert (difference["kind"], difference["event_id"]) == ("only in ClickHouse", "again")
    assert difference["repeats_a_matched_event"] is True


def test_changed_values_are_named_by_their_keys_and_never_shown(writes: DualWrite, compare, capsys) -> None:
    writes.log(NOON, metrics={"followers": 777001, "posts": 3}, dimensions={"bio": "private words", "city": None})
    writes.publish("2026-03-03 12:00:01", metrics={"followers": 777002, "posts": 3}, source="other provider")
    report = compare()
    (difference,) = report["sample"]["differences"]
    assert difference["kind"] == "differing content"
    assert difference["keys"] == ["dimensions.city", "metrics.followers", "source"]
    assert verdicts(report) == ["equal"] * 3
    assert writes.compare() == EXIT_DIFFERENT
    shown = capsys.readouterr().out
    assert "dimensions.city, metrics.followers, source" in shown
    for text in (shown, json.dumps(report)):
        assert not any(value in text for value in ("77700", "private words", "other provider"))


def test_an_unreadable_document_is_named(writes: DualWrite, compare) -> None:
    writes.log(NOON, "post_activity_log", metrics="{'likes': 1}")
    writes.publish("2026-03-03 12:00:01", "post_activity_log")
    (difference,) = compare(event_type="post_activity_log")["sample"]["differences"]
    assert difference["keys"] == ["metrics (not JSON)", "metrics.likes"]


def test_a_post_under_another_owner(writes: DualWrite, compare) -> None:
    writes.log(NOON, "post_log", profile_id="1")
    writes.publish("2026-03-03 12:00:01", "post_log", profile_id="TODO")
    (difference,) = compare(event_type="post_log")["sample"]["differences"]
    assert difference["keys"] == ["profile_id"]


# --- the sample -------------------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_sample_from_both_sides(writes: DualWrite, compare) -> None:
    for number in range(20):
        writes.log(NOON, profile_id=f"logged {number}")
        writes.publish("2026-03-03 12:00:01", profile_id=f"published {number}")

    def drawn(*arguments: str) -> list[str]:
        sample = compare(*arguments)["sample"]
        assert sample["entities"] == 8
        return [one["entity"]["profile_id"] for one in sample["differences"]]

    first = drawn("--sample", "8", "--seed", "one")
    assert first == drawn("--sample", "8", "--seed", "one")
    assert {name.split()[0] for name in first} == {"logged", "published"}
    assert first != drawn("--sample", "8", "--seed", "two")


def test_no_more_differences_are_shown_than_asked_for(writes: DualWrite, compare, capsys) -> None:
    for number in range(5):
        writes.log(NOON, profile_id=f"[red]lost\033[1m {number}")
    sample = compare("--max-differences", "2")["sample"]
    assert (len(sample["differences"]), sample["kinds"]) == (2, {"missing in ClickHouse": 5})
    assert writes.compare("--max-differences", "2") == EXIT_DIFFERENT
    shown = capsys.readouterr().out
    assert shown.count("INSTAGRAM/[red]lost\N{REPLACEMENT CHARACTER}[1m") == 2
    assert "3 more differences" in shown
    assert "DIFFERENT: profile_log, 1 of 3 days; 5 sampled entities with 5 differences" in shown


def test_the_report_for_a_person(writes: DualWrite, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    writes.both(NOON)
    assert writes.compare() == 0
    shown = capsys.readouterr()
    assert "EQUAL: profile_log, 3 days with 1 row; 1 sampled entity with 1 fact" in shown.out
    assert "Provisional" not in shown.out
    assert shown.err == ""  # progress is for terminals
    monkeypatch.setenv("COLUMNS", "80")
    writes.publish("2026-03-03 14:00:00")
    assert writes.compare() == EXIT_DIFFERENT
    assert "…" not in capsys.readouterr().out.split("differences of 1 sampled entity")[1]  # ids are whole
