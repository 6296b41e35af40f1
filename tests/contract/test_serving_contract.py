"""Mart, declaration and DDL of each serving table agree, without any server."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from stir.serving.ddl import table_ddl
from stir.serving.declaration import Target
from stir.serving.targets import TARGETS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
EVERY_TARGET = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


@cache
def described_models() -> dict[str, dict[str, str]]:
    """Columns with their types as the dbt project describes each model."""
    return {
        entry["name"]: {column["name"]: column.get("data_type", "") for column in entry.get("columns", [])}
        for path in sorted((ROOT / "gcc_social" / "models").rglob("*.yml"))
        for entry in yaml.safe_load(path.read_text()).get("models") or []
    }


def differences(mart: str, needed: dict[str, str]) -> dict[str, str]:
    """What the dbt project says otherwise about the columns of `mart` that are needed."""
    described = described_models()[mart.split(".")[1]]
    return {
        name: f"{described.get(name, 'missing')}, declared {kind}"
        for name, kind in needed.items()
        if described.get(name) != kind
    }


@EVERY_TARGET
@pytest.mark.parametrize("environment", ["prod", "staging"])
def test_mart_has_every_exported_column_in_the_declared_type(target: Target, environment: str):
    exported = {column.mart_column: column.clickhouse for column in target.exported if not column.derived}
    assert exported
    assert differences(target.in_environment(environment).mart, {**exported, **target.reads}) == {}


@EVERY_TARGET
def test_only_a_query_over_the_mart_makes_columns_that_the_mart_has_not(target: Target):
    assert bool(target.rows) >= any(column.derived for column in target.exported)
    if target.rows:
        assert "{mart}" in target.rows
        assert all(re.search(rf"\b{name}\b", target.rows) for name in target.reads)


@EVERY_TARGET
def test_ddl_file_is_what_the_declaration_generates(target: Target):
    path = ROOT / "schema" / "serving" / f"{target.name}.sql"
    assert path.read_text() == table_ddl(target), (
        f"run: python -m stir.serving ddl {target.name} > {path.relative_to(ROOT)}"
    )


def base_columns(table: str) -> set[str]:
    """Columns of a table that the product's own service fills."""
    base = (ROOT / "schema" / "foreign" / "serving" / "product.sql").read_text()
    body = base.split(f"create table if not exists {table} (", 1)[1].split("\n);", 1)[0]
    return {line.split()[0] for line in body.splitlines() if line.strip()}


@EVERY_TARGET
def test_enrichments_read_columns_that_the_base_tables_have(target: Target):
    known = {"staged": {column.name for column in target.exported}}
    for enrichment in target.enrichments:
        known[enrichment.table] = base_columns(enrichment.table)
        assert enrichment.read <= known[enrichment.table]
        assert enrichment.on in known["staged"]
    for condition in (target.keep, *(enrichment.when for enrichment in target.enrichments)):
        for table, column in re.findall(r"\b([a-z_]+)\.([a-z_]+)", condition):
            assert column in known[table], f"{table}.{column}"


@EVERY_TARGET
def test_no_index_is_a_prefix_of_another(target: Target):
    for index in target.indexes:
        for other in target.indexes:
            assert index is other or other.columns[: len(index.columns)] != index.columns, f"{index.name} is redundant"


PRODUCT_COLUMNS = {
    "social_profile_core_metrics": """
        platform profile_id handle followers following posts engagement_rate avg_likes avg_comments
        avg_views newest_event_at
    """,
    "leaderboard": """
        id month language category platform profile_type handle followers engagement_rate avg_likes
        avg_comments avg_views avg_plays followers_rank followers_change_rank views_rank plays_rank
        platform_id platform_profile_id country views yt_views ia_views uploads prev_followers prev_views
        prev_plays followers_change likes comments plays engagement profile_platform audience_gender
        audience_age search_phrase enabled last_month_ranks current_month_ranks
    """,
    "social_profile_time_series": """
        platform_id platform platform_profile_id followers following views views_total plays plays_total
        engagement_rate uploads followers_change date prev_date monthly_stats enabled
    """,
    "collection_post_metrics_summary": """
        platform post_short_code post_type post_title post_link post_thumbnail published_at
        profile_social_id profile_handle profile_name profile_pic followers collection_id
        collection_share_id post_collection_item_id collection_type views likes comments impressions saves
        plays reach swipe_ups mentions sticker_taps shares story_exits story_back_taps story_forward_taps
        link_clicks orders er hashtags cost delivered_orders completed_orders leaderboard_overall_orders
        leaderboard_delivered_orders leaderboard_completed_orders
    """,
    "collection_post_metrics_ts": """
        platform post_short_code post_type post_title post_link post_thumbnail published_at
        profile_social_id profile_handle profile_name profile_pic platform_account_code followers
        collection_type collection_id collection_share_id post_collection_item_id link_clicks orders
        stats_date views likes comments impressions saves plays reach swipe_ups mentions sticker_taps shares
        story_exits story_back_taps story_forward_taps er
    """,
    "collection_hashtag": """
        collection_id collection_share_id collection_type hashtag_name tagged_count ugc_tagged_count
    """,
    "collection_keyword": """
        collection_id collection_share_id collection_type keyword_name tagged_count
    """,
    "genre_overview": """
        category month platform language profile_type creators uploads views engagement engagement_rate
        followers likes comments audience_age_gender audience_age audience_gender enabled
    """,
    "trending_content": """
        month category platform language profile_type title description engagement engagement_rate views
        plays likes comments published_at post_id post_type post_link thumbnail profile_social_id
        platform_account_id audience_gender audience_age plays_rank views_rank enabled
    """,
    "group_metrics": """
        group_key group_avg_likes group_avg_comments group_avg_comments_rate group_avg_followers
        group_avg_engagement_rate group_avg_reels_reach group_avg_image_reach group_avg_story_reach
        group_avg_shorts_reach group_avg_video_reach group_avg_likes_to_comment_ratio
        group_avg_followers_growth7d group_avg_followers_growth30d group_avg_followers_growth90d
        group_avg_audience_reachability group_avg_audience_authencity group_avg_audience_quality
        group_avg_post_count group_avg_reaction_rate group_avg_likes_spread group_avg_followers_growth1y
        group_avg_posts_per_week profiles bin_start bin_end bin_height
    """,
    "social_profile_hashtags": """
        platform_id platform platform_profile_id hashtags hashtags_counts
    """,
}
"""What the product reads of each table, as it was agreed; on purpose not derived from the declarations."""


@EVERY_TARGET
def test_every_column_that_the_product_reads_is_there_and_no_other(target: Target):
    columns = {column.name for column in target.columns}
    assert columns - {"id"} == set(PRODUCT_COLUMNS[target.name].split()) - {"id"}


RENAMED = {
    "collection_post_metrics_summary": {"er": "engagement_rate"},
    "collection_post_metrics_ts": {"er": "engagement_rate"},
    "collection_hashtag": {"hashtag_name": "hashtag", "ugc_tagged_count": "tagged_count"},
    "collection_keyword": {"keyword_name": "keyword"},
    "trending_content": {
        "published_at": "publish_time",
        "post_id": "short_code",
        "post_link": "post_url",
        "thumbnail": "thumbnail_url",
        "profile_social_id": "profile_id",
    },
    "group_metrics": {
        "group_avg_likes": "group_avg_avg_likes",
        "group_avg_comments": "group_avg_avg_comments",
        "group_avg_posts_per_week": "group_avg_avg_posts_per_week",
    },
}
"""Columns that the product knows under another name than the mart; by hand, like the list above."""


@EVERY_TARGET
def test_columns_have_the_marts_name_or_the_agreed_one(target: Target):
    renamed = {column.name: column.mart_column for column in target.exported if column.mart_column != column.name}
    assert renamed == RENAMED.get(target.name, {})


CHANGED = {
    "collection_post_metrics_summary": {"views", "impressions", "reach", "hashtags"},
    "collection_post_metrics_ts": {"views", "impressions", "reach"},
}
"""Columns whose value is not the mart's as it stands: rounded numbers, hashtags in lower case."""


@EVERY_TARGET
def test_values_are_the_marts_but_for_the_agreed_ones(target: Target):
    changed = {column.name for column in target.exported if column.expression}
    assert changed == CHANGED.get(target.name, set())


def test_there_are_eleven_targets():
    assert set(TARGETS) == set(PRODUCT_COLUMNS)
    assert len(TARGETS) == 11
