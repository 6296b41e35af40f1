"""Each target's whole path once, with rows that dbt built from the small world: what is in the mart is in the table."""

from __future__ import annotations

import json
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import clickhouse_driver
import pytest
from airflow.sdk.exceptions import AirflowFailException
from stir.serving.declaration import Form, Target
from stir.serving.export import exported_value
from stir.serving.freshness import rebuilding_statement
from stir.serving.targets import TARGETS
from stir.serving.targets.collection_keyword import STOP_WORDS
from stir.serving.verify import compare

from devstack.world.load import Targets, load
from schema.connections import serving_dsn
from tests.gcc_social.conftest import RUN_TIME, SEED, Warehouse, store_events, warehouse_server
from tests.plugins.serving.conftest import Publishing, serving_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DAGS = {
    "social_profile_core_metrics": "dbt_core",
    "leaderboard": "sync_leaderboard_prod",
    "social_profile_time_series": "sync_time_series_prod",
    "collection_post_metrics_summary": "dbt_collections",
    "collection_post_metrics_ts": "sync_collection_post_ts_prod",
    "collection_hashtag": "sync_collection_hashtags_prod",
    "collection_keyword": "sync_collection_keywords_prod",
    "genre_overview": "sync_genre_overview_prod",
    "trending_content": "sync_trending_content_prod",
    "group_metrics": "sync_group_metrics_prod",
    "social_profile_hashtags": "sync_hashtags_prod",
}
STAGING_DAGS = {
    "collection_post_metrics_summary": "dbt_staging_collections",
    "collection_post_metrics_ts": "sync_collection_post_ts_staging",
}

assert warehouse_server  # a fixture, used by name


@dataclass
class World:
    """The built marts, and one serving database for both environments."""

    warehouse: Warehouse
    publishing: Publishing
    dags: dict[str, Any]

    def publish(self, dag_id: str) -> Target:
        """Run the steps of one DAG; the target as its environment has it."""
        self.publishing.dag = self.dags[dag_id]
        self.publishing.target = self.publishing.dag.user_defined_macros["publication"].target
        self.publishing.query(f"truncate {self.publishing.target.name}")  # no share guard between two environments
        self.publishing.query("delete from serving_ledger where target = %s", (self.publishing.target.name,))
        self.publishing.run()
        return self.publishing.target

    def query(self, statement: str, parameters: tuple | None = None) -> list[tuple]:
        """Rows from PostgreSQL."""
        return self.publishing.query(statement, parameters)

    def share_ids(self) -> dict[tuple[str, str], str]:
        """Share id by type and number of a collection."""
        return {
            (kind, number): share
            for kind, number, share in self.query(
                "select 'PROFILE', id::text, share_id from profile_collection "
                "union all select 'POST', id, share_id from post_collection"
            )
        }


@pytest.fixture(scope="module")
def world(
    serving_servers: dict[str, Any],
    warehouse_server: Warehouse,
    postgres_service: Any,
    s3_service: Any,
    sshd_service: Any,
) -> Iterator[World]:
    import serving
    import transform

    dags = {value.dag_id: value for module in (serving, transform) for value in vars(module).values() if is_dag(value)}
    with serving_database(postgres_service, "serving_world_") as database, pytest.MonkeyPatch.context() as patch:
        for name in ("AIRFLOW_CONN_PROD_PG", "AIRFLOW_CONN_STAGE_PG"):
            patch.setenv(name, json.dumps(json.loads(os.environ[name]) | {"schema": database}))
        patch.delenv("STIR_SERVING_DSN", raising=False)
        publishing = Publishing(
            postgres_service,
            s3_service,
            sshd_service,
            serving_servers["clickhouse"],
            database,
            serving_servers["folder"],
            None,
        )
        load_world(warehouse_server, serving_dsn("production"))
        spoil_base_tables(publishing)
        build_marts(warehouse_server)
        yield World(warehouse_server, publishing, dags)
        warehouse_server.empty()


def is_dag(value: Any) -> bool:
    return type(value).__name__ == "DAG"


def load_world(warehouse: Warehouse, dsn: str) -> None:
    """The small world in ClickHouse and in one serving database, its events stored without a broker."""
    warehouse.empty()
    load(
        "small",
        SEED,
        RUN_TIME,
        RUN_TIME,
        Targets(warehouse.client, (dsn,), None),
        force=True,
        say=print,
        events=lambda messages: store_events(warehouse, messages),
    )


def spoil_base_tables(publishing: Publishing) -> None:
    """What the product hides, says nothing about or has deleted: items, collections of each type, accounts."""
    publishing.query(
        "update post_collection_item set show_in_report = "
        "case id % 20 when 0 then false when 10 then null else true end"
    )
    publishing.query("delete from profile_collection where id = (select min(id) from profile_collection)")
    publishing.query("delete from instagram_account where id % 7 = 0")
    publishing.query("delete from post_collection where id = (select min(id) from post_collection)")


def build_marts(warehouse: Warehouse) -> None:
    marts = {target.in_environment(name).mart_table for target in TARGETS.values() for name in ("prod", "staging")}
    variables = {"run_time": f"{RUN_TIME:%Y-%m-%d %H:%M:%S}", "peer_group_profiles": 3}
    warehouse.project.run("seed")
    warehouse.project.run("run", "--select", *(f"+{mart}" for mart in sorted(marts)), "--vars", json.dumps(variables))


def assert_equals_the_mart(world: World, target: Target) -> None:
    """Sums and sampled values by `verify`; keys and JSON values of all rows here."""
    query = world.publishing.clickhouse.execute
    connection = world.publishing.connect()
    found = compare(target, query, connection, sample=2000)
    connection.close()
    assert found.differences == []
    assert found.rows > 0
    assert found.sampled > 0
    if not target.keep:
        assert found.rows == query(f"select count() from {target.relation}")[0][0]
    columns = [column for column in target.exported if column.name in target.key or column.form is Form.JSON]
    values = ", ".join(f"toString({exported_value(column)}) as c{n}" for n, column in enumerate(columns))
    names = ", ".join(f"{column.name}::{'date::' if column.postgres == 'timestamp' else ''}text" for column in columns)

    def by_key(rows: list[tuple]) -> dict[tuple, list]:
        rows = [tuple(zip(columns, row, strict=True)) for row in rows]
        return {
            tuple(value for column, value in row if column.name in target.key): [
                json.loads(value) for column, value in row if column.form is Form.JSON
            ]
            for row in rows
        }

    mart = by_key(query(f"select {values} from {target.relation}"))
    live = by_key(world.query(f"select {names} from {target.name}"))
    assert len(live) == found.rows
    assert {key: mart[key] for key in live} == live


@pytest.mark.parametrize("name", DAGS)
def test_what_the_mart_holds_is_what_the_product_reads(world: World, name: str):
    target = world.publish(DAGS[name])
    assert target.name == name
    assert_equals_the_mart(world, target)


@pytest.mark.parametrize("name", STAGING_DAGS)
def test_staging_gets_its_own_mart(world: World, name: str):
    target = world.publish(STAGING_DAGS[name])
    assert target.mart.startswith("dbt.mart_staging_")
    assert_equals_the_mart(world, target)


@pytest.mark.parametrize(
    "name", ["social_profile_time_series", "genre_overview", "collection_post_metrics_summary", "group_metrics"]
)
def test_json_lines_bring_the_same(world: World, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", "JSONEachRow")
    assert_equals_the_mart(world, world.publish(DAGS[name]))


def test_row_lost_on_the_way_is_refused_where_rows_are_left_out_too(world: World):
    target = world.publish("dbt_collections")
    before = world.publishing.rows(target.name)
    ti = world.publishing.run(until="load")
    staged = world.publishing.names(ti).staged_table
    world.query(f"delete from {staged} where ctid = (select min(ctid) from {staged})")
    with pytest.raises(AirflowFailException, match=r"in the staged table, .* in the manifest \(-1\)"):
        world.publishing.run(ti, after="load", until="guard")
    world.publishing.step("clean_database", ti)
    assert world.publishing.rows(target.name) == before


def test_daily_twin_has_nothing_to_do_after_the_run_of_the_half_hour(world: World):
    world.publish("dbt_collections")
    twin = world.dags["sync_collection_post_summary_prod"].user_defined_macros["publication"]
    found = twin.freshness(by_hand=False, grace=timedelta())
    assert not found.ready
    assert "published by dbt_collections" in found.reason


@pytest.mark.parametrize("name", ["social_profile_core_metrics", "social_profile_time_series"])
def test_a_mart_that_dbt_is_building_is_seen(world: World, name: str, clickhouse_service: Any):
    """dbt itself builds the mart, one as a whole, one by adding to it, while another connection looks."""
    target, at = TARGETS[name], clickhouse_service.endpoint
    looking = clickhouse_driver.Client(at.host, port=at.native_port, user=at.user, password=at.password)
    seen, stop = Counter(), threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen[looking.execute(rebuilding_statement(target))[0][0] > 0] += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        world.warehouse.dbt("run", "--select", target.mart_table)
    finally:
        stop.set()
        watcher.join()
    assert seen[True] > 0
    assert looking.execute(rebuilding_statement(target)) == [(0,)]
    looking.disconnect()


def test_core_metrics_are_there_for_both_platforms_and_as_new_as_the_ledger_says(world: World):
    world.publish("dbt_core")
    rows = world.query("select platform, count(*) from social_profile_core_metrics group by 1 order by 1")
    assert [platform for platform, _ in rows] == ["INSTAGRAM", "YOUTUBE"]
    newest = world.query(
        "select date_trunc('milliseconds', max(newest_event_at)) from social_profile_core_metrics "
        "union all select newest_event_at at time zone 'UTC' from serving_ledger "
        "where target = 'social_profile_core_metrics'"
    )
    assert len(newest) == 2
    assert newest[0] == newest[1]


def test_series_have_one_row_per_period_and_it_is_the_newest_version(world: World):
    """Every row of one account in two versions, as between two merges."""
    client = world.warehouse.client
    ((account, rows),) = world.warehouse.rows(
        "select platform_id, count() as rows from dbt.mart_time_series final where not monthly_stats "
        "and platform = 'INSTAGRAM' and isNotNull(followers) "
        "group by platform_id order by rows desc, platform_id limit 1"
    )
    assert rows > 1
    client.command("system stop merges dbt.mart_time_series")
    client.command(
        "insert into dbt.mart_time_series select * replace (followers + 1000000000 as followers, "
        "changed_at + toIntervalSecond(1) as changed_at) "
        f"from dbt.mart_time_series final where platform_id = '{account}'"
    )
    target = world.publish("sync_time_series_prod")
    assert_equals_the_mart(world, target)
    series = world.query(
        "select date::date, prev_date::date, followers >= 1000000000, platform_profile_id "
        "from social_profile_time_series where platform_id = %s and not monthly_stats order by date",
        (account,),
    )
    dates = [row[0] for row in series]
    assert [row[1] for row in series] == [dates[0], *dates[:-1]]
    assert len(set(dates)) == len(dates) >= rows
    assert {row[2] for row in series} - {None} == {True}
    assert world.query("select ig_id from instagram_account where id = %s", (series[0][3],)) == [(account,)]


@pytest.mark.parametrize("dag_id", ["dbt_collections", "dbt_staging_collections"])
def test_summary_leaves_out_what_no_report_shows(world: World, dag_id: str):
    """The rule applied by hand to the rows of the mart."""
    target = world.publish(dag_id)
    shares = world.share_ids()
    items = {
        number: (shown, cost)
        for number, shown, cost in world.query("select id, show_in_report, cost from post_collection_item")
    }
    expected = {}
    mart = world.warehouse.rows(
        f"select collection_type, platform, collection_id, post_short_code, post_collection_item_id from {target.mart}"
    )
    for kind, platform, collection, code, item in mart:
        shown, cost = (True, None) if kind == "PROFILE" else items.get(item, (False, None))
        if shown and (kind, collection) in shares:
            expected[kind, platform, collection, code] = (shares[kind, collection], cost)
    live = world.query(
        "select collection_type, platform, collection_id, post_short_code, collection_share_id, cost "
        "from collection_post_metrics_summary"
    )
    assert {row[:4]: row[4:] for row in live} == expected
    assert {kind for kind, *_ in expected} == {"POST", "PROFILE"}
    assert any(cost for _, cost in expected.values())
    ledger = world.query(
        "select rows, (guards->>'left_out')::int from serving_ledger where target = %s", (target.name,)
    )
    assert ledger == [(len(expected), len(mart) - len(expected))]
    assert len(mart) > len(expected)


def test_summary_shows_the_products_own_picture_and_name_and_whole_numbers(world: World):
    world.publish("dbt_collections")
    counted = world.query(
        "select count(*), count(*) filter (where s.profile_pic is distinct from a.thumbnail), "
        "count(*) filter (where s.profile_name <> coalesce(a.name, a.handle)), "
        "count(*) filter (where s.followers <> a.followers) "
        "from collection_post_metrics_summary s "
        "join instagram_account a on a.ig_id = s.profile_social_id and s.platform = 'INSTAGRAM'"
    )
    assert counted[0][0] > 0
    assert counted[0][1:] == (0, 0, 0)
    mart = {
        row[:4]: row[4:]
        for row in world.warehouse.rows(
            "select collection_type, platform, collection_id, post_short_code, views, impressions, hashtags "
            "from dbt.mart_collection_post"
        )
    }
    live = world.query(
        "select collection_type, platform, collection_id, post_short_code, views, impressions, hashtags "
        "from collection_post_metrics_summary"
    )
    for row in live:
        views, impressions, hashtags = mart[row[:4]]
        assert row[4] == round(views or 0)
        assert row[5] == (None if impressions is None else round(impressions))
        assert row[6] == [tag.lower() for tag in hashtags]
    assert any(row[5] for row in live) and any(row[6] for row in live)
    nulls = world.query(
        "select count(*) from collection_post_metrics_summary where num_nulls(post_type, post_title, post_link, "
        "published_at, profile_handle, profile_name, followers, views, reach, link_clicks, orders, er) > 0"
    )
    assert nulls == [(0,)]


def test_daily_numbers_need_a_known_account_and_a_known_collection(world: World):
    target = world.publish("sync_collection_post_ts_prod")
    shares = world.share_ids()
    accounts = {
        (platform, account): number
        for platform, account, number in world.query(
            "select 'INSTAGRAM', ig_id, id from instagram_account union all "
            "select 'YOUTUBE', channel_id, id from youtube_account"
        )
    }
    mart = world.warehouse.rows(
        f"select collection_type, collection_id, post_short_code, platform, profile_social_id from {target.mart}"
    )
    expected = Counter(
        (kind, collection, code, accounts[platform, account], shares[kind, collection])
        for kind, collection, code, platform, account in mart
        if (kind, collection) in shares and (platform, account) in accounts
    )
    live = world.query(
        "select collection_type, collection_id, post_short_code, platform_account_code, collection_share_id, count(*) "
        "from collection_post_metrics_ts group by 1, 2, 3, 4, 5"
    )
    assert {row[:5]: row[5] for row in live} == expected
    shared = [row for row in mart if row[:2] in shares]
    assert 0 < expected.total() < len(shared) < len(mart)


WORDS = {
    "sync_collection_hashtags_prod": ("hashtags", "hashtag_name"),
    "sync_collection_keywords_prod": ("keywords", "keyword_name"),
}


@pytest.mark.parametrize("dag_id", WORDS)
def test_words_are_the_hundred_most_used_of_each_collection(world: World, dag_id: str):
    """Counted by hand, after one collection got more than a hundred, stop words and other cases among them."""
    column, name = WORDS[dag_id]
    client = world.warehouse.client
    client.command("create or replace table dbt.kept as dbt.mart_collection_post")
    client.command("insert into dbt.kept select * from dbt.mart_collection_post")
    numbered = "arrayMap(n -> concat('word', toString(n % 130)), range(300))"
    many = f"arrayConcat({numbered}, ['From', 'THAT', 'Sunset', 'sunset'])"
    chosen = "select max(collection_id) from dbt.kept where collection_type = 'POST'"
    try:
        client.command(
            f"insert into dbt.mart_collection_post select * replace ({many} as {column}, 'extra' as post_short_code) "
            f"from dbt.kept where collection_type = 'POST' and collection_id in ({chosen}) limit 1"
        )
        target = world.publish(dag_id)
        counts: dict[tuple[str, str], Counter] = {}
        for kind, collection, words in world.warehouse.rows(
            f"select collection_type, collection_id, {column} from dbt.mart_collection_post"
        ):
            kept = [word.lower() for word in words]
            kept = [word for word in kept if column == "hashtags" or word not in STOP_WORDS]
            counts.setdefault((kind, collection), Counter()).update(kept)
    finally:
        client.command("exchange tables dbt.kept and dbt.mart_collection_post")
        client.command("drop table dbt.kept sync")
    shares = world.share_ids()
    expected = {
        (kind, collection, shares[kind, collection], word, times)
        for (kind, collection), used in counts.items()
        if (kind, collection) in shares
        for word, times in sorted(used.items(), key=lambda entry: (-entry[1], entry[0].encode()))[:100]
    }
    assert max(Counter(row[:2] for row in expected).values()) == 100
    rows = world.query(
        f"select collection_type, collection_id, collection_share_id, {name}, tagged_count from {target.name}"
    )
    assert len(rows) == len(set(rows))
    assert set(rows) == expected
    assert any(row[3] == "sunset" and row[4] == 2 for row in rows)
    if column == "hashtags":
        assert world.query("select count(*) from collection_hashtag where ugc_tagged_count <> tagged_count") == [(0,)]


def test_overview_has_no_row_of_missing_labels_and_its_maps_are_whole(world: World):
    world.publish("sync_genre_overview_prod")
    missing = "'MISSING' in (language, category)"
    assert world.query(f"select count(*) from genre_overview where {missing}") == [(0,)]
    assert world.warehouse.rows(f"select count() > 0 from dbt.mart_genre_overview where {missing}") == [(1,)]
    bands = world.query(
        "select distinct (select count(*) from jsonb_object_keys(audience_age_gender->'male')) from genre_overview"
    )
    assert bands == [(7,)]


def test_trending_posts_know_their_account_and_its_audience(world: World):
    world.publish("sync_trending_content_prod")
    counted = world.query(
        "select count(*) filter (where t.platform_account_id is distinct from coalesce(i.id, y.id)), "
        "count(*) filter (where t.audience_age is distinct from coalesce(i.audience_age, y.audience_age)), "
        "count(*) filter (where t.audience_gender is distinct from coalesce(i.audience_gender, y.audience_gender)), "
        "count(t.platform_account_id) > 0, count(t.audience_age) > 0 from trending_content t "
        "left join instagram_account i on i.ig_id = t.profile_social_id and t.platform = 'INSTAGRAM' "
        "left join youtube_account y on y.channel_id = t.profile_social_id and t.platform = 'YOUTUBE'"
    )
    assert counted == [(0, 0, 0, True, True)]
    ((month,),) = world.query("select min(month) from trending_content")
    assert re.fullmatch(r"\d{4}-\d{2}-01", month)
