-- The ten hashtags that each Instagram profile uses most, and how often.
-- Generated: python -m stir.serving ddl social_profile_hashtags. The definition is plugins/stir/serving/targets/social_profile_hashtags.py.

create table if not exists social_profile_hashtags (
    id bigserial not null,
    platform_id text not null,
    platform text not null,
    platform_profile_id bigint,
    hashtags jsonb,
    hashtags_counts jsonb,
    constraint social_profile_hashtags_pkey primary key (id)
);

create unique index if not exists social_profile_hashtags_key
    on social_profile_hashtags (platform, platform_id);

create index if not exists social_profile_hashtags_by_profile
    on social_profile_hashtags (platform_profile_id);
