"""Values at and beyond the edge of what a serving column holds: case 44; see also `test_serving_path.py`.

A process reads the live table all the while (`live`).
"""

from __future__ import annotations

from datetime import date

import pytest
from stir.serving.export import StagingFormat

pytestmark = pytest.mark.integration


@pytest.fixture(params=list(StagingFormat), ids=str)
def staging_format(request, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", request.param.value)


@pytest.mark.parametrize("column", ["followers_rank", "views_rank"])
def test_unsigned_number_above_bigint_is_refused_by_the_load(live, staging_format, column):
    """Case 44: UInt64 overflow. The load names the number; nothing is cut or wrapped."""
    live.fill(200)
    live.clickhouse.execute(
        f"insert into dbt.mart_leaderboard (month, platform_id, {column}) values ('2026-10-01', 'large', {2**64 - 1})"
    )
    with pytest.raises(Exception, match=rf"{2**64 - 1}.*out of range"):
        live.run()
    assert live.rows() == 100


def test_first_and_last_day_of_clickhouse_arrive(live, staging_format):
    """Case 44: every date that ClickHouse can hold lies within PostgreSQL's range."""
    live.fill(98)
    live.filled.add((100, 5 * 98 * 97))
    live.clickhouse.execute(
        "insert into dbt.mart_leaderboard (month, platform_id) values ('1970-01-01', 'first'), ('2149-06-06', 'last')"
    )
    live.run()
    days = "select platform_id, month::date from leaderboard where platform_id in ('first', 'last') order by 1"
    assert live.query(days) == [("first", date(1970, 1, 1)), ("last", date(2149, 6, 6))]


def test_empty_text_and_empty_map_are_not_null(live, staging_format):
    """Case 44: what is empty stays empty and what is absent stays absent."""
    live.fill(98)
    live.filled.add((100, 5 * 98 * 97))
    live.clickhouse.execute(
        "insert into dbt.mart_leaderboard (month, platform_id, category, current_month_ranks) values "
        "('2026-10-01', 'absent', NULL, map()), ('2026-10-01', 'empty', '', map())"
    )
    live.run()
    chosen = "platform_id in ('absent', 'empty') order by platform_id"
    assert live.query(f"select category, current_month_ranks from leaderboard where {chosen}") == [(None, {}), ("", {})]
