-- Ranks of Instagram, YouTube and cross-platform profiles per month, with rank maps of two months.
-- Generated: python -m stir.serving ddl leaderboard. The definition is plugins/stir/serving/targets/leaderboard.py.

create table if not exists leaderboard (
    id bigserial not null,
    month timestamp not null,
    platform text not null,
    profile_platform text not null,
    platform_id text not null,
    platform_profile_id bigint,
    handle text,
    language text,
    category text,
    country text,
    profile_type text,
    followers bigint,
    engagement_rate double precision,
    avg_likes double precision,
    avg_comments double precision,
    avg_views double precision,
    avg_plays double precision,
    followers_rank bigint,
    followers_change_rank bigint,
    views_rank bigint,
    plays_rank bigint,
    views bigint,
    yt_views bigint,
    ia_views bigint,
    uploads bigint,
    prev_followers bigint,
    prev_views bigint,
    prev_plays bigint,
    followers_change bigint,
    likes bigint,
    comments bigint,
    plays bigint,
    engagement bigint,
    audience_gender jsonb,
    audience_age jsonb,
    search_phrase text,
    enabled boolean not null default true,
    last_month_ranks jsonb,
    current_month_ranks jsonb,
    constraint leaderboard_pkey primary key (id)
);

create unique index if not exists leaderboard_key
    on leaderboard (month, platform, profile_platform, platform_id);

create index if not exists leaderboard_by_profile
    on leaderboard (month, platform, platform_profile_id);

create index if not exists leaderboard_by_followers_change_rank
    on leaderboard (month, platform, followers_change_rank, id);

create index if not exists leaderboard_by_plays_rank
    on leaderboard (month, platform, plays_rank, id);

create index if not exists leaderboard_by_views_rank
    on leaderboard (month, platform, views_rank, id);
