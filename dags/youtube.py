"""Scrape requests for YouTube: which channels and videos Beat is asked to look at, and how often.

First what the product watches (tracked channels, collections), then lists kept by hand, then channels that gave access
to their own data. At the end the care of requests that got stuck, and the daily import of the channel directory.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir import scrape_update, search_import
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.scrape_request import Batching, FailureRule, ScrapeSource
from stir.scrape_request_task import ON_FAILURE, POOL, request_params, send_scrape_requests
from stir.scrape_update import StuckRequests
from stir.search_import import Field, SearchImport

CANDIDATES = Path(__file__).with_name("candidates")
EVENTS = "`_e.scrape_request_log_events` and `stir.accepted_requests` (what was asked for lately)"
REQUEST_LOG = "`dbt.stg_beat_scrape_request_log` (what failed too often; throttling does not count)"
COUNTS = "counts in the log and as XCom"


profiles_by_handle = ScrapeSource(
    flow="refresh_yt_profiles",
    platform="YOUTUBE",
    entity_key=("channel_id",),
    candidates=CANDIDATES / "sync_yt_profiles_by_handle.sql",
    batching=Batching(param="channel_ids", size=40),
    order="priority, next_attempt",
    limit=100_000,
    cool_down=timedelta(hours=12),
    backlog_limit=5000,
)

with DagDeclaration(
    dag_id="sync_yt_profiles_by_handle",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/30 * * * *",
    pool=POOL,
    tags=("youtube", "profiles"),
    params=request_params(profiles_by_handle),
    documentation=Documentation(
        purpose="""Keep tracked YouTube channels fresh. Every half hour the channels that are due are asked for, the
        most urgent first, 40 in one request and never twice in 12 hours. A channel of which ten requests within 60 days
        brought nothing is left alone.""",
        inputs=f"""`dbt.mart_youtube_tracked_profiles` (who is due, and how urgently), `dbt.stg_beat_youtube_account`
        and `dbt.stg_beat_scrape_request_log` (who never answers), {EVENTS}.""",
        outputs=f"One request of flow `refresh_yt_profiles` per 40 channels at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profiles_by_handle)


profiles_videos_by_handle = ScrapeSource(
    flow="refresh_yt_posts_by_playlist_id",
    counted_flows=("refresh_yt_posts_by_channel_id",),
    platform="YOUTUBE",
    entity_key=("channel_id",),
    candidates=CANDIDATES / "sync_yt_profiles_videos_by_handle.sql",
    fixed_params={"max_posts": 50},
    order="priority, next_videos_attempt",
    limit=500,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=4, within=timedelta(days=30)),
    backlog_limit=1500,
)

with DagDeclaration(
    dag_id="sync_yt_profiles_videos_by_handle",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("youtube", "posts"),
    params=request_params(profiles_videos_by_handle),
    documentation=Documentation(
        purpose="""Fetch the newest videos of tracked YouTube channels. Every ten minutes at most 500 channels that are
        due are asked about, the most urgent first, each for its 50 newest videos.""",
        inputs=f"""`dbt.mart_youtube_tracked_profiles` (whose videos are due, and how urgently), {EVENTS}, requests by
        channel included, which people make; {REQUEST_LOG}.""",
        outputs=f"One request of flow `refresh_yt_posts_by_playlist_id` per channel at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profiles_videos_by_handle)


new_channels = ScrapeSource(
    flow="refresh_yt_profiles",
    platform="YOUTUBE",
    entity_key=("channel_id",),
    candidates=CANDIDATES / "sync_yt_channels.sql",
    batching=Batching(param="channel_ids", size=40),
    order="added_at desc",
    limit=5000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_yt_channels",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 0 * * *",
    pool=POOL,
    tags=("youtube", "profiles"),
    params=request_params(new_channels),
    documentation=Documentation(
        purpose="""Give channels that were added to the product lately their figures. Once a day at most 5000 channels
        of the last six months without followers are asked for, the newest first, 40 in one request.""",
        inputs=f"""`dbt.stg_coffee_view_youtube_account_lite` (who was added, and without followers),
        `dbt.stg_beat_youtube_account` (who was scraped within 30 days all the same), {EVENTS}.""",
        outputs=f"One request of flow `refresh_yt_profiles` per 40 channels at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(new_channels)


collection_posts = ScrapeSource(
    flow="refresh_yt_posts",
    platform="YOUTUBE",
    entity_key=("post_id",),
    candidates=CANDIDATES / "sync_yt_collection_posts.sql",
    batching=Batching(param="post_ids", size=40),
    order="published_at desc nulls first",
    limit=250,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=4, within=timedelta(days=30)),
    backlog_limit=500,
)

with DagDeclaration(
    dag_id="sync_yt_collection_posts",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("youtube", "collections"),
    params=request_params(collection_posts),
    documentation=Documentation(
        purpose="""Keep the YouTube videos of post collections fresh while they are young. Every ten minutes at most 250
        videos are asked for, those that were never scraped first, then the newest, 40 in one request. A video of a
        request that failed is asked for alone next time, so that one bad id is told from its neighbours.""",
        inputs=f"""`dbt.stg_coffee_post_collection_item` (videos of collections), `dbt.stg_beat_youtube_post` (publish
        times, 50 days), {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"One request of flow `refresh_yt_posts` per 40 videos at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(collection_posts)


post_comments = ScrapeSource(
    flow="fetch_yt_post_comments",
    platform="YOUTUBE",
    entity_key=("shortcode",),
    candidates=CANDIDATES / "sync_yt_post_comments.sql",
    lists=("dbt.comment_partners",),
    fixed_params={"max_comments": 1000},
    order="published_at desc",
    limit=250,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=4, within=timedelta(days=30), ignored_texts=()),
    backlog_limit=500,
)

with DagDeclaration(
    dag_id="sync_yt_post_comments",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("youtube", "comments"),
    params=request_params(post_comments),
    documentation=Documentation(
        purpose="""Fetch the comments on YouTube videos of chosen partners' collections, from which the sentiment report
        is made. Every three hours at most 250 videos that are four days old and have comments are asked for.""",
        inputs=f"""Seed `comment_partners` (whose collections), `dbt.stg_coffee_post_collection` and
        `dbt.stg_coffee_post_collection_item` (their videos), `dbt.stg_beat_youtube_post` (age and number of comments),
        `_e.post_activity_log_events` (comments that are stored), {EVENTS}, {REQUEST_LOG}.""",
        outputs=f"One request of flow `fetch_yt_post_comments` per video at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(post_comments)


post_type = ScrapeSource(
    flow="refresh_yt_post_type",
    platform="YOUTUBE",
    entity_key=("post_id",),
    candidates=CANDIDATES / "sync_yt_post_type.sql",
    order="first_seen desc nulls last",
    limit=1000,
    cool_down=timedelta(days=1),
    failure_rule=FailureRule(failures=4, within=timedelta(days=183)),
    backlog_limit=3000,
)

with DagDeclaration(
    dag_id="sync_yt_post_type",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("youtube", "posts"),
    params=request_params(post_type),
    documentation=Documentation(
        purpose="""Find out which YouTube videos are shorts. Every ten minutes at most 1000 videos without a type are
        asked about, the newest first, each once a day. One that failed four times in six months is left alone.""",
        inputs=f"`dbt.stg_beat_youtube_post` (which videos have no type), {EVENTS}, {REQUEST_LOG}.",
        outputs=f"One request of flow `refresh_yt_post_type` per video at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(post_type)


profile_relationship = ScrapeSource(
    flow="refresh_yt_profile_relationship",
    platform="YOUTUBE",
    entity_key=("channel_id",),
    candidates=CANDIDATES / "sync_yt_profile_relationship_by_channel_id.sql",
    order="last_attempt asc nulls first",
    limit=1000,
    # The mart of attempts is built once a day: what is asked for now may be missing there for more than a day.
    cool_down=timedelta(days=2),
    backlog_limit=3000,
)

with DagDeclaration(
    dag_id="sync_yt_profile_relationship_by_channel_id",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("youtube", "relationships"),
    params=request_params(profile_relationship),
    documentation=Documentation(
        purpose="""Learn which channels the Indian channels subscribe to. Every ten minutes at most 1000 channels are
        asked about: first those that were never looked at, then those of more than 90 days ago, the oldest first.""",
        inputs=f"""`vidooly.youtube_channels_india` and the newest load of `vidooly.youtube_channels` (which channels),
        `dbt.mart_youtube_profile_relationship` (when each was looked at), {EVENTS}.""",
        outputs=f"One request of flow `refresh_yt_profile_relationship` per channel at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profile_relationship)


critical_daily = ScrapeSource(
    flow="refresh_yt_profiles",
    platform="YOUTUBE",
    entity_key=("channel_id",),
    candidates=CANDIDATES / "sync_yt_critical_daily.sql",
    lists=("dbt.critical_youtube_channels",),
    batching=Batching(param="channel_ids", size=40),
    order="channel_id",
    limit=2000,
    cool_down=timedelta(hours=6),
)

with DagDeclaration(
    dag_id="sync_yt_critical_daily",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 0 * * *",
    pool=POOL,
    tags=("youtube", "profiles"),
    params=request_params(critical_daily),
    documentation=Documentation(
        purpose="""Refresh the most important channels at the beginning of each day, 40 in one request, whether they are
        due or not. One that another DAG asked for within the last six hours is fresh enough.""",
        inputs=f"Seed `critical_youtube_channels` (which channels), {EVENTS}.",
        outputs=f"One request of flow `refresh_yt_profiles` per 40 channels at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(critical_daily)


genre_videos = ScrapeSource(
    flow="refresh_yt_posts_by_genre",
    platform="YOUTUBE",
    entity_key=("category",),
    further_keys=("language",),
    candidates=CANDIDATES / "sync_yt_genre_videos.sql",
    lists=("dbt.video_genres", "dbt.video_genre_languages"),
    order="category, language",
    limit=1000,
    cool_down=timedelta(days=3),
    backlog_limit=1000,
)

with DagDeclaration(
    dag_id="sync_yt_genre_videos",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 0 * * 0",
    pool=POOL,
    tags=("youtube", "genres"),
    params=request_params(genre_videos),
    documentation=Documentation(
        purpose="""Find popular videos of every genre in every language, once a week. The flow is the one that takes a
        category and a language; the reference named the search flow, which takes neither, so that every request
        failed.""",
        inputs=f"Seeds `video_genres` and `video_genre_languages` (every pair is asked for), {EVENTS}.",
        outputs=f"One request of flow `refresh_yt_posts_by_genre` per genre and language at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(genre_videos)


profile_insights = ScrapeSource(
    flow="refresh_yt_profile_insights",
    platform="YOUTUBE",
    entity_key=("channel_id",),
    candidates=CANDIDATES / "sync_yt_profile_insights.sql",
    order="insights_at asc nulls first",
    limit=1000,
    cool_down=timedelta(days=1),
    backlog_limit=1000,
)

with DagDeclaration(
    dag_id="sync_yt_profile_insights",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */6 * * *",
    schedule_variable="yt_profile_insights_schedule_interval",
    pool=POOL,
    tags=("youtube", "insights"),
    params=request_params(profile_insights),
    documentation=Documentation(
        purpose="""Fetch the audience of channels that gave access to their own data, once a week each. A channel that
        could not be read is asked for again a day later.""",
        inputs=f"""`dbt.stg_beat_credential` (who gave access), `dbt.stg_beat_youtube_profile_insights` (whose audience
        is a week old), {EVENTS}.""",
        outputs=f"One request of flow `refresh_yt_profile_insights` per channel at Beat; {COUNTS}.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profile_insights)


stuck_requests = StuckRequests(
    candidates=CANDIDATES / "retry_yt_scrape_events.sql",
    older_than=timedelta(hours=2),
    tries=3,
    limit=1000,
)

with DagDeclaration(
    dag_id="retry_yt_scrape_events",
    kind=Kind.SCRAPE_UPDATE,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("youtube",),
    params=scrape_update.update_params(stuck_requests),
    documentation=Documentation(
        purpose="""Free YouTube scrape requests that hang in PROCESSING, as they do after a crash of the scraper. One
        that began more than two hours ago is put back to PENDING; at its third try it becomes FAILED. Each is looked up
        at Beat first: only what is still in PROCESSING there, and is the same request, is touched.""",
        inputs="""`_e.scrape_request_log_events` (requests of the last seven days whose newest event is PROCESSING), and
        Beat itself.""",
        outputs=f"Status and retry count of the request at Beat, which publishes the event; {COUNTS}.",
        on_failure=scrape_update.ON_FAILURE,
    ),
).dag():
    scrape_update.free_stuck_requests(stuck_requests)


channel_directory = SearchImport(
    connection="vidooly_search",
    index="youtube_channels_api",
    query={"match_phrase": {"snippet.country": "IN"}},
    table="vidooly.youtube_channels",
    key="id",
    fields=(
        Field("created", ("created_at",)),
        Field("country", ("snippet", "country")),
        Field("custom_url", ("snippet", "customUrl")),
        Field("description", ("snippet", "description")),
        Field("title", ("snippet", "title")),
        Field("published_at", ("snippet", "publishedAt")),
        Field("thumbnail", ("snippet", "thumbnails", "default", "url")),
        Field("last_updated_at", ("last_updated",)),
        Field("video_count", ("statistics", "videoCount")),
        Field("view_count", ("statistics", "viewCount")),
        Field("hidden_subscriber", ("statistics", "hiddenSubscriberCount"), flag=True),
        Field("subscriber_count", ("statistics", "subscriberCount")),
    ),
)

with DagDeclaration(
    dag_id="sync_vidooly_es_youtube_channels",
    kind=Kind.SEARCH_IMPORT,
    schedule="0 0 * * *",
    run_limit=timedelta(minutes=360),
    tags=("youtube", "vidooly"),
    params=search_import.import_params(),
    documentation=Documentation(
        purpose="""Load the directory of Indian YouTube channels from Vidooly's search index, one snapshot a day. All
        days stand in one table, each in a partition of its own, which is replaced as a whole: readers see a day
        completely or not at all, and a repeated run leaves no duplicates.""",
        inputs="""Index `youtube_channels_api` at connection `vidooly_search` (channels whose country is IN), read page
        by page with the scroll protocol.""",
        outputs=f"""The day's rows in `vidooly.youtube_channels`, with `load_date`; {COUNTS}. Read by the channel marts
        and by sync_yt_profile_relationship_by_channel_id.""",
        on_failure=search_import.ON_FAILURE,
    ),
).dag():
    search_import.import_index(channel_directory)
