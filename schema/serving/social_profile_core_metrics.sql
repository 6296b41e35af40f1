-- Followers, posts and engagement of each profile as of the last quarter of an hour.
-- Generated: python -m stir.serving ddl social_profile_core_metrics. The definition is plugins/stir/serving/targets/social_profile_core_metrics.py.

create table if not exists social_profile_core_metrics (
    platform text not null,
    profile_id text not null,
    handle text,
    followers bigint,
    following bigint,
    posts bigint,
    engagement_rate double precision,
    avg_likes double precision,
    avg_comments double precision,
    avg_views double precision,
    newest_event_at timestamp,
    constraint social_profile_core_metrics_pkey primary key (platform, profile_id)
);

create index if not exists social_profile_core_metrics_by_handle
    on social_profile_core_metrics (platform, handle);
