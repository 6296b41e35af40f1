"""`parity` around midnight: the scraper logs a fact before it is published, so it may fall on two days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.event_sinker.dual_write import DualWrite, kinds, verdicts

pytestmark = pytest.mark.integration


def test_a_shift_over_midnight_is_no_loss(writes: DualWrite, compare) -> None:
    writes.both("2026-03-02 12:00:00")
    writes.both("2026-03-02 23:59:58.5", profile_id="shifted", delay=4)
    writes.both("2026-03-03 00:00:00.5", profile_id="next", delay=1)
    report = compare()
    assert report["equal"]
    assert verdicts(report) == ["shifted over midnight", "shifted over midnight", "equal"]
    assert [(day["difference"], day["shifted_in"], day["shifted_out"]) for day in report["days"][:2]] == [
        (-1, 0, 1),
        (1, 1, 0),
    ]


def test_facts_at_the_edges_belong_to_the_day_of_their_scrape(writes: DualWrite, compare) -> None:
    writes.both("2026-03-01 23:59:59", profile_id="before")
    writes.both("2026-03-04 23:59:59", profile_id="last")
    writes.both("2026-03-05 00:00:01", profile_id="after")
    for lost_on_another_day in ("2026-03-01 23:30:00", "2026-03-05 00:30:00"):
        writes.log(lost_on_another_day, profile_id="last")
    report = compare()
    assert report["equal"]
    assert verdicts(report) == ["shifted over midnight", "equal", "shifted over midnight"]


def test_a_loss_next_to_midnight_is_a_loss(writes: DualWrite, compare) -> None:
    """Also beside shifted facts, and beside facts of the next day that could hide it in the counts."""
    writes.both("2026-03-02 23:59:58", profile_id="shifted", delay=4)
    writes.log("2026-03-02 23:59:59", profile_id="lost")
    writes.both("2026-03-03 00:00:05", profile_id="next")
    writes.both("2026-03-04 12:00:00", profile_id="quiet")
    writes.log("2026-03-04 23:59:59", profile_id="lost at the end")
    writes.both("2026-03-05 00:00:01", profile_id="after the end")
    report = compare()
    assert verdicts(report) == ["missing in ClickHouse", "shifted over midnight", "missing in ClickHouse"]
    assert [day["missing_in_clickhouse"] for day in report["days"]] == [1, 0, 1]
    lost = {one["entity"]["profile_id"] for one in report["sample"]["differences"]}
    assert lost == {"lost", "lost at the end"}


def test_a_second_delivery_after_midnight_does_not_hide_a_loss_before_it(writes: DualWrite, compare) -> None:
    writes.log("2026-03-02 23:59:58")
    writes.log("2026-03-03 00:00:01")
    for _ in range(2):
        writes.publish("2026-03-03 00:00:02", event_id="the same")
        writes.store()
    assert verdicts(compare()) == ["missing in ClickHouse", "equal", "equal"]


def test_beyond_the_tolerance_an_event_is_late(writes: DualWrite, compare) -> None:
    writes.both("2026-03-02 23:59:59", delay=400)
    assert kinds(compare()) == ["missing in ClickHouse", "only in ClickHouse"]
    assert verdicts(compare("--tolerance-seconds", "500"))[0] == "shifted over midnight"


def test_without_an_end_whole_days_are_compared(writes: DualWrite, compare) -> None:
    today = datetime.now(UTC).date()
    yesterday = str(today - timedelta(1))
    writes.both(f"{yesterday} 12:00:00")
    report = compare("--since", yesterday)
    assert report["until"] in {str(today), str(datetime.now(UTC).date())}
    assert report["days"][0]["postgres_rows"] == 1
    assert compare("--since", yesterday, "--until", str(today + timedelta(2)))["provisional"] is True
