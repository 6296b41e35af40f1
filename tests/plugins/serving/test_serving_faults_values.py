"""Values at and beyond the edge of what a serving column holds: case 44; see also `test_serving_path.py`.

A process reads the live table all the while (`live`, `reading`).
"""

from __future__ import annotations

from datetime import date

import pytest
from stir.serving.__main__ import main
from stir.serving.export import StagingFormat

from tests.plugins.serving.conftest import create_log, mart_ddl, reading

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


def test_moments_of_any_year_arrive_and_those_of_no_year_in_postgres_are_cleaned(publishing, staging_format):
    """Case 44: whatever number a DateTime64 holds. ClickHouse has a year 0, PostgreSQL has none."""
    import transform

    publishing.dag = transform.dbt_core
    publishing.target = publishing.dag.user_defined_macros["publication"].target
    moments = {
        "least number": "fromUnixTimestamp64Micro(toInt64('-9223372036854775808'))",
        "before year 1": "toDateTime64('0001-01-01 00:00:00', 6, 'UTC') - toIntervalMicrosecond(1)",
        "year 1": "toDateTime64('0001-01-01 00:00:00', 6, 'UTC')",
        "before 1970": "toDateTime64('1969-12-31 23:59:59.999999', 6, 'UTC')",
        "last": "toDateTime64('9999-12-31 23:59:59.999999', 6, 'UTC')",
        "greatest number": "fromUnixTimestamp64Micro(toInt64('9223372036854775807'))",
        "none": "NULL",
    }
    create_log(publishing.clickhouse)
    mart = publishing.target.mart
    publishing.clickhouse.execute(f"drop table if exists {mart} sync")
    publishing.clickhouse.execute(mart_ddl(publishing.target))
    for profile, moment in moments.items():
        publishing.clickhouse.execute(
            f"insert into {mart} (platform, profile_id, newest_event_at) select 'INSTAGRAM', '{profile}', {moment}"
        )
    shown = f"select profile_id, toString(toDateTime64(newest_event_at, 6, 'UTC')) from {mart}"
    in_clickhouse = dict(publishing.clickhouse.execute(shown))
    publishing.filled |= {(0, 0), (len(moments), 4)}
    with reading(publishing, f"select count(*), count(newest_event_at) from {publishing.target.name}"):
        ti = publishing.run()
    in_postgres = "select profile_id, to_char(newest_event_at, 'YYYY-MM-DD HH24:MI:SS.US') from {}"
    published = dict(publishing.query(in_postgres.format(publishing.target.name)))
    early = {profile for profile, moment in in_clickhouse.items() if moment and moment.startswith("0000")}
    assert published == in_clickhouse | dict.fromkeys(early)
    assert ti.results["manifest"]["cleaned_values"] == len(early)
    assert main(["verify", publishing.target.name]) == 0
    publishing.clickhouse.execute(f"drop table {mart} sync")


def test_numbers_that_json_lacks_are_null_within_maps_and_arrays_and_are_counted(publishing, staging_format):
    """Case 44: NaN and infinity inside a map, a map of maps and an array."""
    import serving

    create_log(publishing.clickhouse)
    rows = {
        serving.sync_genre_overview_prod: (
            "month, platform, language, category, profile_type, audience_age, audience_gender, audience_age_gender",
            "select '2026-10', 'YOUTUBE', 'en', 'music', 'ALL', map('13-17', nan, '18-24', 0.5), map('f', 0.25), "
            "map('f', map('13-17', 0.5, '18-24', -inf))",
            "select audience_age, audience_gender, audience_age_gender from genre_overview",
            ({"13-17": None, "18-24": 0.5}, {"f": 0.25}, {"f": {"13-17": 0.5, "18-24": None}}),
        ),
        serving.sync_group_metrics_prod: (
            "group_key, bin_start, bin_end",
            "select 'all', [0., 1.], [1., inf]",
            "select bin_start, bin_end from group_metrics",
            ([0, 1], [1, None]),
        ),
    }
    for (dag, (columns, chosen, read, expected)), cleaned in zip(rows.items(), (2, 1), strict=True):
        publishing.dag = dag
        publishing.target = dag.user_defined_macros["publication"].target
        mart = publishing.target.mart
        publishing.clickhouse.execute(f"drop table if exists {mart} sync")
        publishing.clickhouse.execute(mart_ddl(publishing.target))
        publishing.clickhouse.execute(f"insert into {mart} ({columns}) {chosen}")
        publishing.filled |= {(0, 0), (1, 1)}
        with reading(publishing, f"select count(*), count(id) from {publishing.target.name}"):
            ti = publishing.run()
        assert publishing.query(read) == [expected]
        assert ti.results["manifest"]["cleaned_values"] == cleaned
        publishing.clickhouse.execute(f"drop table {mart} sync")
