-- Followers, posts and gains of each profile per week and per month.
-- Generated: python -m stir.serving ddl social_profile_time_series. The definition is plugins/stir/serving/targets/social_profile_time_series.py.

create table if not exists social_profile_time_series (
    id bigserial not null,
    platform_id text not null,
    platform text not null,
    platform_profile_id bigint,
    followers bigint,
    following bigint,
    views bigint,
    views_total bigint,
    plays bigint,
    plays_total bigint,
    engagement_rate double precision,
    uploads bigint,
    followers_change bigint,
    date timestamp not null,
    prev_date timestamp,
    monthly_stats boolean not null,
    enabled boolean not null default true,
    constraint social_profile_time_series_pkey primary key (id)
);

create unique index if not exists social_profile_time_series_key
    on social_profile_time_series (platform, platform_id, monthly_stats, date);

create index if not exists social_profile_time_series_by_profile
    on social_profile_time_series (platform, platform_profile_id, monthly_stats, date);
