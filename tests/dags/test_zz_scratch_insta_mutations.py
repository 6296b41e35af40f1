import inspect, re
import pytest
import test_instagram_candidates as T
from test_instagram_candidates import sources, tables, world  # noqa
from stir.scrape_request import ScrapeSource

M = {
    "sync_insta_profiles_by_handle.sql": [
        ("cityHash64(handle, toDate(now('UTC')))", "handle"),
        ("select handle, priority", "select handle, 1 as priority"),
    ],
    "sync_g3_collection_posts.sql": [
        ("collection_id in (select collection_id from dbt.refreshed_collections)", "true"),
        ("and platform = 'INSTAGRAM'", ""),
        ("and ifNull(post_type, '') != 'story'", ""),
        ("and ifNull(post_type, '') != 'story'", "and post_type != 'story'"),
        ("and not match(post_short_code, '^[0-9]*$')", ""),
        ("known_posts.published is null or", ""),
        ("interval 90 day", "interval 92 day"),
        ("interval 90 day", "interval 80 day"),
    ],
    "sync_insta_collection_posts.sql": [("and not match", "and match")],
    "sync_insta_collection_stories.sql": [
        ("lower(argMax", "(argMax"),
        ("argMax(ifNull", "argMin(ifNull"),
        ("            platform = 'INSTAGRAM'\n            and post_type", "            post_type"),
        ("and post_type = 'story'", ""),
        ("interval 1 day", "interval 2 day"),
        ("{5,}", "{4,}"),
        ("startsWith(story_id, 'story_dum_')", "story_id like 'story_dum_%'"),
        ("or startsWith(story_id, 'story_dum_')", ""),
        ("            platform = 'INSTAGRAM'\n            and event_timestamp", "            event_timestamp"),
        ("interval 2 day", "interval 4 day"),
        (
            "(JSONExtractFloat(metrics, 'profile_follower') > 0 or JSONExtractFloat(metrics, 'profile_er') > 0)",
            "JSONExtractFloat(metrics, 'profile_er') > 0",
        ),
        ("or JSONExtractFloat(metrics, 'profile_er') > 0", ""),
        ("interval 7 day", "interval 9 day"),
        ("interval 7 day", "interval 5 day"),
        ("order by newest_event_at desc nulls last", "order by newest_event_at"),
        ("order by age", "order by age desc"),
        ("100 * coalesce(avg_er_non_outliers, avg_er)", "100 * coalesce(avg_er, avg_er_non_outliers)"),
        ("coalesce(static_er_non_outliers, avg_static_er)", "static_er_non_outliers"),
        ("coalesce(reels_er_non_outliers, reels_er)", "reels_er"),
        ("round(100 * coalesce(avg", "round(coalesce(avg"),
        ("nullIf(profiles.followers, 0)", "profiles.followers"),
        ("profiles.is_fresh and ", ""),
        ("profiles.followers > 0 and ", ""),
        (" and rates.er > 0", ""),
        ("added_stories.handle != '' and ", ""),
        (" and added_stories.story_id not in (select shortcode from measured_stories)", ""),
        ("nullIf(profiles.profile_id, '')", "ifNull(profiles.profile_id, '')"),
        ("max(created_at) as added_at", "now('UTC') as added_at"),
    ],
    "sync_insta_post_comments.sql": [
        ("            platform = 'INSTAGRAM'\n            and post_type", "            post_type"),
        ("and post_type != 'story'", ""),
        ("and not match(ifNull(short_code, ''), '^[0-9]*$')", ""),
        ("where partner_id in (select partner_id from dbt.comment_partners)", ""),
        ("argMax(comments, (updated_at, id))", "argMin(comments, (updated_at, id))"),
        ("            platform = 'INSTAGRAM'\n            and activity", "            activity"),
        ("and activity_type = 'COMMENT'", ""),
        ("uniqExact(actor_profile_id, JSONExtractString(dimensions, 'comment_id'))", "count()"),
        ("interval 4 day", "interval 2 day"),
        ("and posts.comment_count > 0", ""),
        ("ifNull(stored_comments.stored, 0) = 0", "false"),
        ("least(posts.comment_count, 1000)", "posts.comment_count"),
        ("/ 2", ""),
        ("and stored_comments.stored_at < now('UTC') - interval 7 day", ""),
        ("and posts.published >= now('UTC') - interval 60 day", ""),
    ],
    "sync_insta_stories_explicitly.sql": [
        ("from dbt.story_profiles\nwhere handle != ''", "from dbt.story_profiles"),
        ("union distinct\nselect profile_id, handle\nfrom ds.explicitly_instagram_stories\nwhere handle != ''", ""),
    ],
    "sync_insta_profile_followers.sql": [
        ("        union distinct\n        select handle\n        from ds.creator_handles_fake_follower_poc\n", ""),
        ("handle in (select handle from listed_handles) and", ""),
        ("and followers > 0", ""),
        ("uniqExactIf", "countIf"),
        ("            and relationship_type = 'FOLLOWS'\n", ""),
        ("interval 1 day", "interval 3 day"),
        ("<= 500", "<= 499"),
        ("<= 500", "<= 501"),
        ("max(followers) as", "min(followers) as"),
        (", JSONExtractString(source_dimensions, 'handle') != ''", ", true"),
        ("            platform = 'INSTAGRAM'\n            and relationship", "            relationship"),
    ],
    "sync_insta_profile_following.sql": [("empty(profiles_i_follow) and", ""), ("and following > 0", "")],
    "track_hashtags.sql": [
        ("replaceRegexpOne(trim(hashtag), '^#', '')", "trim(hashtag)"),
        ("trim(hashtag)", "hashtag"),
    ],
    "sync_insta_stories.sql": [
        ("source = 'graphapi' and", ""),
        ("and enabled = 1", ""),
        ("and enabled = 1", "and enabled != 0"),
    ],
    "sync_insta_story_insights.sql": [
        ("post_type = 'story'\n    and", ""),
        ("interval 30 hour", "interval 31 hour"),
        ("interval 30 hour", "interval 20 hour"),
        (" final", ""),
        ("where source = 'graphapi' and enabled = 1", ""),
        ("and post_id != ''", ""),
        ("and shortcode != ''", ""),
        ("and profile_id != ''", ""),
        ("and handle != ''", ""),
    ],
    "sync_insta_post_insights.sql": [
        ("post_type in ('reels', 'image', 'carousel')\n    and", ""),
        ("interval 1 month", "interval 2 month"),
        ("interval 1 month", "interval 20 day"),
        (" final", ""),
        ("where source = 'graphapi' and enabled = 1", ""),
        ("and post_id != ''", ""),
        ("and shortcode != ''", ""),
        ("and handle != ''", ""),
    ],
    "sync_insta_profile_insights.sql": [
        ("and enabled = 1", ""),
        ("max(updated_at)", "min(updated_at)"),
        ("latest_insights.insights_at is null or", ""),
        ("interval 7 day", "interval 5 day"),
        ("interval 7 day", "interval 10 day"),
        ("source = 'graphapi' and", ""),
    ],
    "sync_instagram_gpt_data.sql": [
        ("mart.followers >= 100000", "mart.followers >= 90000"),
        ("mart.followers >= 100000", "mart.followers > 100000"),
        ("and mart.handle != ''", ""),
        ("ifNull(mart.bio, '')", "mart.bio"),
        ("coalesce(nullIf(mart.primary_category, ''), 'Missing')", "ifNull(mart.primary_category, 'Missing')"),
        ("coalesce(nullIf(mart.primary_category, ''), 'Missing')", "ifNull(mart.primary_category, '')"),
        ("source = 'openapi_profile_info_v0.12' and JSONHas(dimensions, 'gender')", "JSONHas(dimensions, 'gender')"),
        ("source = 'openapi_profile_info_v0.12' and JSONHas(dimensions, 'city')", "JSONHas(dimensions, 'city')"),
        ("source = 'openapi_profile_info_v0.12' and JSONHas(dimensions, 'topics')", "JSONHas(dimensions, 'topics')"),
        ("            and startsWith(source, 'openapi_profile_info_')\n", ""),
        ("argMaxIf", "argMinIf"),
        ("                JSONHas(dimensions, 'audience_city')\n", "                true\n"),
        ("countIf(JSONHas(dimensions, 'audience_gender_age')) > 0", "count() > 0"),
        ("JSONHas(dimensions, 'gender')) > 0", "true) > 0"),
        ("            platform = 'INSTAGRAM'\n            and profile_id in", "            profile_id in"),
    ],
}
CASES = [(f, a, b) for f, ms in M.items() for a, b in ms]


def calls(name_of_file, world):
    """Every test of the module with its parameters that concerns the file."""
    for name, fn in vars(T).items():
        if not name.startswith("test_") or not inspect.isfunction(fn):
            continue
        sig = list(inspect.signature(fn).parameters)
        if "world" not in sig:
            continue
        marks = [m for m in getattr(fn, "pytestmark", []) if m.name == "parametrize"]
        if not marks:
            yield name, fn, {"world": world}
            continue
        names, values = marks[0].args[:2]
        if isinstance(names, str):
            names = [n.strip() for n in names.split(",")]
        for v in list(values):
            v = v if isinstance(v, tuple) and len(names) > 1 else (v,)
            yield name, fn, {"world": world, **dict(zip(names, v))}


@pytest.mark.timeout(3000)
def test_all(world, monkeypatch):
    real = ScrapeSource.candidate_sql
    used = {}
    survivors = []
    # which tests read which file
    touching = {}
    for name, fn, kw in calls(None, world):
        seen = set()
        monkeypatch.setattr(ScrapeSource, "candidate_sql", lambda self: (seen.add(self.candidates.name), real(self))[1])
        fn(**kw)
        world.empty()
        for f in seen:
            touching.setdefault(f, []).append((fn, kw))
    for f, a, b in CASES:
        text = None

        def mutated(self):
            sql = real(self)
            if self.candidates.name == f:
                assert a in sql, ("no such text", f, a)
                return sql.replace(a, b)
            return sql

        monkeypatch.setattr(ScrapeSource, "candidate_sql", mutated)
        killed = None
        for fn, kw in touching[f]:
            try:
                fn(**kw)
            except AssertionError as e:
                assert "no such text" not in str(e), e
                killed = "assert"
            except Exception as e:
                killed = type(e).__name__ + str(e)[:150]
            finally:
                world.empty()
            if killed:
                break
        if killed != "assert":
            survivors.append((f, a, b, killed))
    for s in survivors:
        print("SURVIVED", s)
    print(len(CASES), "mutations", len(survivors), "survivors")
