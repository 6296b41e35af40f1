"""The whole path with real parts: what is in the mart is what readers get, and what a run leaves behind."""

from __future__ import annotations

import copy
import json
import math
import os
import re
from contextlib import closing
from datetime import UTC, datetime

import pytest
from backports import zstd
from stir.serving.__main__ import main
from stir.serving.export import StagingFormat

pytestmark = pytest.mark.integration

TEXTS = [
    "",
    "plain",
    "quotes ' \" `` \\' \\\"",
    "back\\slash \\n \\t \\N \\. \\x41 \\101 \\",
    "line\nfeed\r\nreturn\rtab\tend",
    "\\N",
    "\\.",
    "NULL",
    "emoji 😀👩‍👩‍👧 हिन्दी ಕನ್ನಡ ﷽",
    "controls \x01\x02\x07\x08\x0b\x0c\x1b\x7f\x85\u2028\u2029\ufeff",
    "nul\x00inside\x00",
    '{"json": "in text \\u0000 \\ud83d"}',
    ",;|\x01\x02",
    "  spaces at both ends  ",
    "very long " + "x\\" * 20_000,
]
NUMBERS = [0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63), None]
FLOATS = [
    0.0,
    0.1,
    1 / 3,
    -2.5e-308,
    5e-324,
    1.7976931348623157e308,
    1e22,
    123456789.123456789,
    None,
    math.nan,
    math.inf,
]


@pytest.fixture(params=list(StagingFormat), ids=str)
def staging_format(request, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", request.param.value)
    return request.param


@pytest.mark.parametrize("sessions", [1, 2, 4], ids="{} sessions".format)
def test_every_value_arrives_as_it_was(watched, staging_format, split_small, monkeypatch, sessions):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", str(sessions))
    watched.fill(0)
    rows = []
    for number, text in enumerate(TEXTS):
        rows.append(
            {
                "month": datetime(1970 + number * 10, 2, 28, tzinfo=UTC).date(),
                "platform": "ALL",
                "profile_platform": "IA",
                "platform_id": f"{number}{text}",
                "category": text,
                "language": None if number % 2 else text,
                "followers": NUMBERS[number % len(NUMBERS)],
                "prev_followers": NUMBERS[number % 6],
                "views_rank": 2**63 - 1 - number,
                "engagement_rate": FLOATS[number % len(FLOATS)],
                "current_month_ranks": {text: 2**63 - number, "rank": number},
            }
        )
    # The largest value that bigint holds, in a map where jsonb holds more.
    columns = list(rows[0])
    watched.clickhouse.execute(f"insert into dbt.mart_leaderboard ({', '.join(columns)}) values", rows)

    watched.filled.add((len(rows), sum(row["followers"] or 0 for row in rows)))
    ti = watched.run()

    assert ti.results["manifest"]["key"].endswith(staging_format.extension)
    assert ti.results["manifest"]["parts"] == sessions
    loaded = {
        row[0]: row[1:]
        for row in watched.query(
            "select extract(year from month)::int, platform_id, category, language, followers, prev_followers, "
            "views_rank, engagement_rate, current_month_ranks, last_month_ranks, month::date from leaderboard"
        )
    }
    assert len(loaded) == len(rows)
    for row in rows:
        platform_id, category, language, followers, previous, views, rate, ranks, last_ranks, month = loaded[
            row["month"].year
        ]
        assert platform_id == row["platform_id"].replace("\0", "")
        assert category == row["category"].replace("\0", "")
        assert language == (None if row["language"] is None else row["language"].replace("\0", ""))
        assert (followers, previous, views) == (row["followers"], row["prev_followers"], row["views_rank"])
        expected = row["engagement_rate"]
        assert rate == (expected if expected is not None and math.isfinite(expected) else None)
        assert ranks == {key.replace("\0", ""): value for key, value in row["current_month_ranks"].items()}
        assert last_ranks == {}
        assert month == row["month"]


def test_what_postgres_cannot_hold_is_cleaned_and_counted(publishing, staging_format):
    publishing.fill(0)
    publishing.clickhouse.execute(
        "insert into dbt.mart_leaderboard (month, platform_id, category, avg_likes, current_month_ranks) values "
        "('2026-10-01', unhex('61EDA080EDB88062'), unhex('FF63'), nan, map(unhex('6BED9FBFEDA080'), 1)), "
        "('2026-10-01', 'b', 'fine', inf, map()), ('2026-10-01', 'c', NULL, NULL, map('x', 1)), "
        "('2026-10-01', 'd', NULL, NULL, map(unhex('6E00'), 1))"
    )
    ti = publishing.run()
    rows = publishing.query("select platform_id, category, avg_likes, current_month_ranks from leaderboard order by 1")
    assert rows == [
        ("a\ufffdb", "\ufffdc", None, {"k\ud7ff\ufffd": 1}),
        ("b", "fine", None, {}),
        ("c", None, None, {"x": 1}),
        ("d", None, None, {"n": 1}),
    ]
    # Two texts and two maps, a NaN and an infinity.
    assert ti.results["manifest"]["cleaned_values"] == 6


def test_enrichment_joins_each_profile_on_its_own_platform_and_never_multiplies(publishing):
    publishing.fill(4, profile="concat('p', toString(intDiv(number, 2)))")
    publishing.query("alter table instagram_account drop constraint instagram_account_ig_id_key")
    publishing.query(
        "insert into instagram_account (id, ig_id, handle, audience_gender, search_phrase) values "
        "(7, 'p0', 'second', null, null), (3, 'p0', 'first', '{\"f\": 0.5}', 'a''b'), (9, null, 'nobody', null, null)"
    )
    publishing.query("insert into youtube_account (id, channel_id, username) values (50, 'p0', 'channel')")
    publishing.run()
    assert publishing.query(
        "select profile_platform, platform_id, platform_profile_id, handle, audience_gender, search_phrase, enabled "
        "from leaderboard order by platform_id, profile_platform"
    ) == [
        ("IA", "p0", 3, "first", {"f": 0.5}, "a'b", True),
        ("YA", "p0", 50, "channel", None, None, True),
        ("IA", "p1", None, None, None, None, True),
        ("YA", "p1", None, None, None, None, True),
    ]


def test_permanent_names_grants_comments_sequence_and_views_survive_two_swaps(publishing):
    shape = (
        "select relname, relkind::text, pg_get_indexdef(oid) from pg_class where relname like 'leaderboard%' "
        "and relname !~ '_old_bkp$|_raw_' and relkind in ('i', 'S', 'r') order by 1"
    )
    for statement in (
        "create role reader_role",
        "create role column_role",
        "grant select on leaderboard to reader_role with grant option",
        "grant select (month, handle) on leaderboard to column_role",
        "grant select on leaderboard to public",
        "comment on table leaderboard is 'What the product''s leaderboard page reads'",
        "comment on column leaderboard.followers is 'at the end of the month'",
        "alter table leaderboard set (autovacuum_vacuum_scale_factor = 0.05)",
        "create view top_profiles with (security_barrier = true) as "
        "select platform_id, followers_rank from leaderboard where followers_rank <= 10",
        "create view top_three as select platform_id from top_profiles where followers_rank <= 3",
        "grant select on top_profiles to reader_role",
    ):
        _as_superuser(publishing, statement)
    before = publishing.query(shape)
    privileges = (
        "select relname, relacl::text, reloptions, obj_description(oid) from pg_class "
        "where relname in ('leaderboard', 'top_profiles') order by 1"
    )
    column_privileges = (
        "select attname, attacl::text from pg_attribute "
        "where attrelid = 'leaderboard'::regclass and attacl is not null order by 1"
    )
    rights, column_rights = publishing.query(privileges), publishing.query(column_privileges)
    try:
        for rows in (20, 30):
            publishing.fill(rows)
            publishing.run()
            assert publishing.query(shape) == before
            assert publishing.query(privileges) == rights
            assert publishing.query(column_privileges) == column_rights
            assert publishing.query("select count(*) from top_profiles") == [(10,)]
            assert publishing.query("select count(*) from top_three") == [(3,)]
            assert publishing.query("select col_description('leaderboard'::regclass, 12)") == [
                ("at the end of the month",)
            ]
        assert publishing.query("select min(id) > 20 from leaderboard") == [(True,)], "ids are never given twice"
        assert publishing.query("select pg_get_serial_sequence('leaderboard', 'id')") == [
            ("public.leaderboard_id_seq",)
        ]
        assert publishing.rows("leaderboard_old_bkp") == 20
        publishing.query(
            "insert into leaderboard (month, platform, profile_platform, platform_id) values ('2026-01-01', '', '', '')"
        )
    finally:
        for role in ("reader_role", "column_role"):
            _as_superuser(publishing, f"drop owned by {role}")
            _as_superuser(publishing, f"drop role {role}")


def test_options_of_the_connection_hold_in_every_step_and_ours_prevail(publishing, monkeypatch):
    known = json.loads(os.environ["AIRFLOW_CONN_PROD_PG"])
    extra = {"options": "-c search_path=product -c timezone=Asia/Kolkata -c statement_timeout=1h"}
    monkeypatch.setenv("AIRFLOW_CONN_PROD_PG", json.dumps(known | {"extra": json.dumps(extra)}))
    publishing.query("alter schema public rename to product")
    publishing.fill(40)
    ti = publishing.run()
    publishing.step("clean_database", ti)
    assert publishing.rows("product.leaderboard") == 40
    assert publishing.rows("product.leaderboard_old_bkp") == 0
    shown = "select current_setting('timezone'), current_setting('search_path'), current_setting('statement_timeout')"
    for step, limit in {"index": "1h", "vacuum": "50min"}.items():
        task = copy.copy(publishing.dag.get_task(step))
        assert tuple(task.get_db_hook().get_first(shown)) == ("UTC", "product", limit)
    with closing(publishing.dag.user_defined_macros["publication"].connect("swap", statement_seconds=7)) as connection:
        cursor = connection.cursor()
        cursor.execute(shown)
        assert cursor.fetchone() == ("UTC", "product", "7s")


def test_ledger_tells_what_was_published(publishing, capsys):
    publishing.fill(50)
    publishing.clickhouse.execute("truncate table dbt.stg_beat_profile_log")
    publishing.clickhouse.execute(
        "insert into dbt.stg_beat_profile_log (event_timestamp, insert_timestamp) "
        "select now() - 3600 - number, now() - 3000 from numbers(5)"
    )
    ti = publishing.run()
    publishing.dag.user_defined_macros["publication"].record_seconds(ti, {"export": 1.5})
    entry = publishing.query(
        "select target, environment, action, run_id, rows, bytes, checksum, object_key, seconds, guards, "
        "mart_built_at - newest_event_at between interval '55 min' and interval '65 min', table_oid, hops "
        "from serving_ledger"
    )
    manifest = ti.results["manifest"]
    ((oid, size),) = publishing.query(
        "select oid::bigint, pg_total_relation_size(oid) from pg_class where relname = 'leaderboard'"
    )
    text = len(zstd.decompress(publishing.object_body(manifest["key"])))
    assert entry == [
        (
            *("leaderboard", "prod", "publish", ti.run_id, 50),
            *(manifest["bytes"], manifest["checksum"], manifest["key"]),
            *({"export": 1.5}, {"rows": 50, "live_rows": 0, "share": None}, True, oid),
            {
                "object": {"rows": 50, "bytes": manifest["bytes"], "text_bytes": text},
                "staged": {"rows": 50},
                "table": {"rows": 50, "bytes": pytest.approx(size, rel=0.5)},  # the vacuum came after it
            },
        )
    ]
    capsys.readouterr()
    assert main(["history", "leaderboard"]) == 0
    shown = capsys.readouterr().out
    assert f"object: 50 rows, {manifest['bytes']} bytes" in shown
    assert "staged: 50 rows" in shown
    assert re.search(r"table: 50 rows, [\d.]+ kB", shown)


def test_clean_up_leaves_nothing_of_the_run(publishing):
    publishing.fill(10)
    ti = publishing.run()
    other = publishing.folder / "leaderboard.staging.someone-elses.tsv"
    other.write_text("keep me")
    publishing.step("clean_host", ti)
    publishing.step("clean_database", ti)
    assert ti.results["manifest"]["key"] not in publishing.objects()
    assert not publishing.fetched(ti).exists()
    assert publishing.tables() == {"leaderboard", "leaderboard_old_bkp"}
    assert other.exists()
    other.unlink()


def test_no_secret_stands_in_anything_that_is_rendered(publishing, postgres_service, capfd, caplog):
    publishing.fill(3)
    ti = publishing.run()
    publication = publishing.dag.user_defined_macros["publication"]
    rendered = [
        publication.export_sql(ti),
        publication.fetch_command(ti),
        publication.load_sql(ti),
        publication.clean_up_command(ti),
        json.dumps(ti.results),
        caplog.text,
        *capfd.readouterr(),
    ]
    secrets = postgres_service.secrets
    for secret in (
        secrets.s3_secret_key,
        secrets.s3_access_key,
        secrets.postgres_password,
        secrets.clickhouse_password,
    ):
        assert not any(secret in text for text in rendered)


def _as_superuser(publishing, statement):
    """Some of the statements need rights that the loading user has no use for."""
    connection = publishing.postgres.superuser_connection(publishing.database)
    with connection, connection.cursor() as cursor:
        if not statement.startswith(("create role", "drop")):
            cursor.execute("set role stir")
        cursor.execute(statement)
    connection.close()
