"""Scrape requests for Instagram: which profiles and posts Beat is asked to look at, and how often.

First what the product watches (tracked profiles, collections), then lists kept by hand, then accounts that gave
access to their own data. What a language model is asked stands in instagram_gpt.py.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.scrape_request import Batching, FailureRule, ScrapeSource
from stir.scrape_request_task import ON_FAILURE, POOL, request_params, send_scrape_requests

CANDIDATES = Path(__file__).with_name("candidates")
EVENTS = "`_e.scrape_request_log_events` and `stir.accepted_requests` (what was asked for lately)"
REQUEST_LOG = "`dbt.stg_beat_scrape_request_log` (what failed too often; throttling does not count)"
COUNTS = "counts in the log and as XCom"


profiles_by_handle = ScrapeSource(
    flow="refresh_profile_by_handle",
    platform="INSTAGRAM",
    entity_key=("handle",),
    candidates=CANDIDATES / "sync_insta_profiles_by_handle.sql",
    order="priority, turn",
    limit=800,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=4, within=timedelta(days=183)),
    backlog_limit=4800,
)

with DagDeclaration(
    dag_id="sync_insta_profiles_by_handle",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "profiles"),
    params=request_params(profiles_by_handle),
    documentation=Documentation(
        purpose="""Keep tracked Instagram profiles fresh. Every ten minutes at most 800 profiles that are due are asked
        for, the most urgent first. A handle that failed four times in six months without a success is left alone.""",
        inputs=f"`dbt.mart_instagram_tracked_profiles` (who is due, and how urgently), {EVENTS}, {REQUEST_LOG}.",
        outputs=f"One request of flow `refresh_profile_by_handle` per profile at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profiles_by_handle)


insta_collection_posts = ScrapeSource(
    flow="refresh_post_by_shortcode",
    platform="INSTAGRAM",
    entity_key=("shortcode",),
    candidates=CANDIDATES / "sync_insta_collection_posts.sql",
    order="publish_time asc nulls first",
    limit=250,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=2, within=timedelta(days=30)),
    backlog_limit=2000,
)

with DagDeclaration(
    dag_id="sync_insta_collection_posts",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "collections"),
    params=request_params(insta_collection_posts),
    documentation=Documentation(
        purpose="""Keep the posts of post collections fresh while they are young. Every ten minutes at most 250 posts
        are asked for, those that were never scraped first, then the oldest.""",
        inputs=f"""`dbt.stg_coffee_post_collection_item` (items of two months), `dbt.stg_beat_instagram_post` (publish
        times, 14 days), {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"One request of flow `refresh_post_by_shortcode` per post at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(insta_collection_posts)


g3_collection_posts = ScrapeSource(
    flow="refresh_post_by_shortcode",
    platform="INSTAGRAM",
    entity_key=("shortcode",),
    candidates=CANDIDATES / "sync_g3_collection_posts.sql",
    lists=("dbt.refreshed_collections",),
    order="publish_time asc nulls first",
    limit=100,
    cool_down=timedelta(days=1),
    failure_rule=FailureRule(failures=2, within=timedelta(days=30), ignored_texts=()),
    backlog_limit=2000,
)

with DagDeclaration(
    dag_id="sync_g3_collection_posts",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "collections"),
    params=request_params(g3_collection_posts),
    documentation=Documentation(
        purpose="""Keep the posts of chosen collections fresh for 90 days, long after those of other collections. Every
        ten minutes at most 100 posts are asked for, each once a day.""",
        inputs=f"""Seed `refreshed_collections` (which collections), `dbt.mart_collection_post` (their posts),
        `dbt.stg_beat_instagram_post` (publish times), {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"One request of flow `refresh_post_by_shortcode` per post at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(g3_collection_posts)


collection_stories = ScrapeSource(
    flow="refresh_story_posts_by_profile_id",
    platform="INSTAGRAM",
    entity_key=("story_id",),
    candidates=CANDIDATES / "sync_insta_collection_stories.sql",
    # A story lives for a day: after six hours it goes with what is known of its owner.
    condition="profile_id is not null and (figures_known or added_at < now('UTC') - interval 6 hour)",
    batching=Batching(param="story_ids", size=100, by=("profile_id", "handle")),
    optional_columns=("profile_follower", "profile_er", "profile_static_er", "profile_reels_er"),
    order="added_at",
    limit=250,
    cool_down=timedelta(hours=6),
    retry_failed_after=timedelta(hours=2),
)
story_owners = ScrapeSource(
    flow="refresh_profile_by_handle",
    platform="INSTAGRAM",
    entity_key=("handle",),
    candidates=CANDIDATES / "sync_insta_collection_stories.sql",
    condition="not figures_known",
    order="added_at",
    limit=250,
    cool_down=timedelta(hours=12),
    retry_failed_after=timedelta(hours=2),
    failure_rule=FailureRule(failures=4, within=timedelta(days=183)),
)

with DagDeclaration(
    dag_id="sync_insta_collection_stories",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("instagram", "collections", "stories"),
    params=request_params(collection_stories),
    documentation=Documentation(
        purpose="""Have new stories of post collections scraped together with their owner's followers and engagement
        rates, by which their reach is estimated later. Those figures come from the warehouse. Only where it does not
        know them, or not those of this week, the profile is asked for as well, and the story waits for them, up to the
        first run after six hours, which is nine hours at most.""",
        inputs=f"""`dbt.stg_coffee_post_collection_item` (stories added within a day), `_e.post_log_events` (which have
        figures already), `dbt.mart_profile_core_metrics` (profile ids, followers),
        `dbt.mart_instagram_account_summary_partial` and `dbt.mart_instagram_account_summary` (engagement rates),
        {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"""One request of flow `refresh_story_posts_by_profile_id` per profile, at most 250, with the ids of
        its new stories; one of `refresh_profile_by_handle` per profile that is not known well enough; {COUNTS}.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(story_owners, task_id="refresh_profiles")
    send_scrape_requests(collection_stories)


post_comments = ScrapeSource(
    flow="fetch_post_comments",
    platform="INSTAGRAM",
    entity_key=("shortcode",),
    candidates=CANDIDATES / "sync_insta_post_comments.sql",
    lists=("dbt.comment_partners",),
    fixed_params={"max_comments": 1000},
    order="publish_time",
    limit=250,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=2, within=timedelta(days=30), ignored_texts=()),
)

with DagDeclaration(
    dag_id="sync_insta_post_comments",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("instagram", "collections", "comments"),
    params=request_params(post_comments),
    documentation=Documentation(
        purpose="""Fetch the comments on collection posts of chosen partners, once a post is four days old, and again
        weekly in its first 60 days while less than half of them are stored. At most 250 posts a run, the oldest
        first.""",
        inputs=f"""Seed `comment_partners` (whose collections), `dbt.stg_coffee_post_collection`,
        `dbt.stg_coffee_post_collection_item`, `dbt.stg_beat_instagram_post` (age, number of comments),
        `_e.post_activity_log_events` (stored comments), {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"One request of flow `fetch_post_comments` for up to 1000 comments per post at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(post_comments)


# ---- lists kept by hand

stories_explicitly = ScrapeSource(
    flow="refresh_story_posts_by_profile_id",
    platform="INSTAGRAM",
    entity_key=("profile_id",),
    payload_columns=("handle",),
    candidates=CANDIDATES / "sync_insta_stories_explicitly.sql",
    lists=("dbt.story_profiles", "ds.explicitly_instagram_stories"),
    order="profile_id",
    limit=1000,
    # Shorter than the four hours between the runs of 20:00 and 00:00, so that each run asks for all.
    cool_down=timedelta(hours=3),
)

with DagDeclaration(
    dag_id="sync_insta_stories_explicitly",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */5 * * *",
    pool=POOL,
    tags=("instagram", "stories", "lists"),
    params=request_params(stories_explicitly),
    documentation=Documentation(
        purpose="Have the live stories of listed profiles scraped, five times a day.",
        inputs=f"Seed `story_profiles` and `ds.explicitly_instagram_stories` (the list), {EVENTS}.",
        outputs=f"One request of flow `refresh_story_posts_by_profile_id` per profile at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(stories_explicitly)


profile_followers = ScrapeSource(
    flow="fetch_profile_followers",
    platform="INSTAGRAM",
    entity_key=("profile_id",),
    candidates=CANDIDATES / "sync_insta_profile_followers.sql",
    lists=("dbt.follower_sample_handles", "ds.creator_handles_fake_follower_poc"),
    order="followers_stored",
    limit=500,
    cool_down=timedelta(days=1),
    attempts_in_cool_down=4,
    failure_rule=FailureRule(failures=8, within=timedelta(days=14)),
)

with DagDeclaration(
    dag_id="sync_insta_profile_followers",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */1 * * *",
    pool=POOL,
    tags=("instagram", "relationships", "lists"),
    params=request_params(profile_followers),
    documentation=Documentation(
        purpose="""Collect a sample of more than 500 followers of each listed creator, for the analysis of fake
        followers. The lists need only handles: the profile ids are looked up. A creator is asked for at most four times
        a day, and not at all after eight failures in two weeks without a success.""",
        inputs=f"""Seed `follower_sample_handles` and `ds.creator_handles_fake_follower_poc` (the list),
        `dbt.mart_instagram_account` (profile ids), `dbt.mart_instagram_profiles_followers_count` and
        `_e.profile_relationship_log_events` (followers stored), {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"One request of flow `fetch_profile_followers` per profile at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profile_followers)


profile_following = ScrapeSource(
    flow="fetch_profile_following",
    platform="INSTAGRAM",
    entity_key=("profile_id",),
    candidates=CANDIDATES / "sync_insta_profile_following.sql",
    lists=("ds.trinity_graph",),
    order="profile_id",
    limit=300,
    cool_down=timedelta(days=3),
    failure_rule=FailureRule(failures=3, within=timedelta(days=30)),
    backlog_limit=1800,
)

with DagDeclaration(
    dag_id="sync_insta_profile_following",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "relationships", "lists"),
    params=request_params(profile_following),
    documentation=Documentation(
        purpose="""Find out whom the members of the creator programme follow, where their graph does not say it yet.
        Each is asked for every three days at most; after three failures in a month without a success no more.""",
        inputs=f"`ds.trinity_graph` (the members), {EVENTS}, {REQUEST_LOG}.",
        outputs=f"One request of flow `fetch_profile_following` per profile at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profile_following)


hashtags = ScrapeSource(
    flow="fetch_hashtag_posts",
    platform="INSTAGRAM",
    entity_key=("hashtag",),
    candidates=CANDIDATES / "track_hashtags.sql",
    lists=("dbt.tracked_hashtags",),
    fixed_params={"max_posts": 2000},
    order="hashtag",
    limit=50,
    cool_down=timedelta(hours=5),  # shorter than the schedule: each run asks for all
)

with DagDeclaration(
    dag_id="track_hashtags",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */6 * * *",
    pool=POOL,
    tags=("instagram", "hashtags", "lists"),
    params=request_params(hashtags),
    documentation=Documentation(
        purpose="Have the newest posts of listed hashtags scraped, four times a day.",
        inputs=f"Seed `tracked_hashtags` (the list), {EVENTS}.",
        outputs=f"One request of flow `fetch_hashtag_posts` for up to 2000 posts per hashtag at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(hashtags)


# ---- accounts that gave access to their own data

stories = ScrapeSource(
    flow="refresh_stories_posts",
    platform="INSTAGRAM",
    entity_key=("handle",),
    candidates=CANDIDATES / "sync_insta_stories.sql",
    order="handle",
    limit=1000,
    # A story lives for 24 hours: with the schedule's three hours on top, each is seen at least once.
    cool_down=timedelta(hours=20),
    retry_failed_after=timedelta(hours=2),
)

with DagDeclaration(
    dag_id="sync_insta_stories",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */3 * * *",
    schedule_variable="posts_stories_schedule_interval",
    pool=POOL,
    tags=("instagram", "stories", "insights"),
    params=request_params(stories),
    documentation=Documentation(
        purpose="""List the stories of connected accounts once a day each, before the oldest of them are gone. A failed
        attempt is repeated at the next run.""",
        inputs=f"`dbt.stg_beat_credential` (enabled graph API credentials), {EVENTS}.",
        outputs=f"One request of flow `refresh_stories_posts` per account at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(stories)


story_insights = ScrapeSource(
    flow="refresh_story_insights",
    platform="INSTAGRAM",
    entity_key=("story_id",),
    payload_columns=("shortcode", "profile_id", "handle"),
    candidates=CANDIDATES / "sync_insta_story_insights.sql",
    order="publish_time",
    limit=1000,
    cool_down=timedelta(hours=6),
)

with DagDeclaration(
    dag_id="sync_insta_story_insights",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 * * * *",
    schedule_variable="story_insights_schedule_interval",
    pool=POOL,
    tags=("instagram", "stories", "insights"),
    params=request_params(story_insights),
    documentation=Documentation(
        purpose="""Read the figures of live stories of connected accounts every six hours; at most 1000 stories a run,
        the oldest first, because they are gone first.""",
        inputs=f"""`dbt.stg_beat_credential` (enabled graph API credentials), `dbt.stg_beat_instagram_post` (stories of
        30 hours), {EVENTS}.""",
        outputs=f"One request of flow `refresh_story_insights` per story at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(story_insights)


post_insights = ScrapeSource(
    flow="refresh_post_insights",
    platform="INSTAGRAM",
    entity_key=("shortcode",),
    payload_columns=("handle", "post_id", "post_type"),
    candidates=CANDIDATES / "sync_insta_post_insights.sql",
    order="publish_time",
    limit=1000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_insta_post_insights",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */2 * * *",
    schedule_variable="posts_insights_schedule_interval",
    pool=POOL,
    tags=("instagram", "insights"),
    params=request_params(post_insights),
    documentation=Documentation(
        purpose="""Read the figures of last month's posts of connected accounts once a day; at most 1000 posts a run,
        the oldest first.""",
        inputs=f"""`dbt.stg_beat_credential` (enabled graph API credentials), `dbt.stg_beat_instagram_post` (posts of a
        month), {EVENTS}.""",
        outputs=f"One request of flow `refresh_post_insights` per post at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(post_insights)


profile_insights = ScrapeSource(
    flow="refresh_profile_insights",
    platform="INSTAGRAM",
    entity_key=("handle",),
    candidates=CANDIDATES / "sync_insta_profile_insights.sql",
    order="insights_at asc nulls first",
    limit=1000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_insta_profile_insights",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */6 * * *",
    schedule_variable="insta_profile_insights_schedule_interval",
    pool=POOL,
    tags=("instagram", "insights"),
    params=request_params(profile_insights),
    documentation=Documentation(
        purpose="""Read the audience of connected accounts once a week. Accounts without insights come first, then those
        with the oldest; whoever was asked for within a day waits.""",
        inputs=f"""`dbt.stg_beat_credential` (enabled graph API credentials),
        `dbt.stg_beat_instagram_profile_insights` (how old the insights are), {EVENTS}.""",
        outputs=f"One request of flow `refresh_profile_insights` per account at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profile_insights)
