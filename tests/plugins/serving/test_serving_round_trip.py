"""Whatever a serving column can hold is published as it was, in both staging formats, loaded in one session or in two.

The values are generated; those that have been trouble before stand in `test_serving_path.py`. One example is a whole
generation, so few examples try many values.
"""

from __future__ import annotations

import math
from datetime import date

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stir.serving.__main__ import main
from stir.serving.export import StagingFormat

pytestmark = pytest.mark.integration

SYNTAX = st.sampled_from(["\\", "\\N", "\\.", "\t", "\n", "\r\n", "\0", '"', "'", "{", "\\u0000", "\\ud83d", "\u2028"])
# Every character but half an emoji, which no UTF-8 text can hold, with the syntax of both formats more often than not.
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.one_of(st.text(CHARACTERS, max_size=60), st.lists(st.one_of(SYNTAX, CHARACTERS), max_size=12).map("".join))
WHOLE = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-1000, 1000))
RANK = st.integers(0, 2**63 - 1)
COLUMNS = {
    "month": st.dates(date(1970, 1, 1), date(2149, 6, 6)),
    "platform_id": TEXT,
    "category": st.none() | TEXT,
    "followers": st.none() | WHOLE,
    "views_rank": RANK,
    "engagement_rate": st.none() | st.floats(),
    "current_month_ranks": st.dictionaries(TEXT, RANK, max_size=5),
}
FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,  # a failure is the change's own, not one of luck
    phases=[Phase.explicit, Phase.generate],  # an example takes seconds; its rows are shown as they are
    suppress_health_check=list(HealthCheck),
)


def without_nul(value):
    """What PostgreSQL can hold of a value: no U+0000, no NaN, no infinity."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {without_nul(key): entry for key, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def distinct(rows):
    """Whether no two rows have one key and no two keys of a map become one."""
    keys = {(row["month"], without_nul(row["platform_id"])) for row in rows}
    return len(keys) == len(rows) and all(
        len(without_nul(row["current_month_ranks"])) == len(row["current_month_ranks"]) for row in rows
    )


@pytest.mark.parametrize("sessions", [1, 2], ids=["1 session", "2 sessions"])
@pytest.mark.parametrize("staging_format", StagingFormat, ids=str)
def test_any_values_arrive_as_they_were(publishing, split_small, monkeypatch, staging_format, sessions):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", staging_format.value)
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", str(sessions))
    monkeypatch.setitem(publishing.target.guards.__dict__, "minimum_share", 0)

    @FEW
    @given(st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=40).filter(distinct))
    def publish_and_compare(rows):
        publishing.fill(0)
        names = ", ".join(COLUMNS)
        publishing.clickhouse.execute(f"insert into dbt.mart_leaderboard ({names}) values", rows)
        publishing.run()
        found = publishing.query(f"select {names.replace('month,', 'month::date,')} from leaderboard")
        expected = [tuple(without_nul(row[name]) for name in COLUMNS) for row in rows]
        assert {row[:2]: row for row in found} == {row[:2]: row for row in expected}
        assert len(found) == len(rows)
        assert main(["verify", "leaderboard"]) == 0

    publish_and_compare()
