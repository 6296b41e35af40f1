-- Creators, posts and audience per month, category, language, profile type and platform.
-- Generated: python -m stir.serving ddl genre_overview. The definition is plugins/stir/serving/targets/genre_overview.py.

create table if not exists genre_overview (
    id bigserial not null,
    category text not null,
    month text not null,
    platform text not null,
    language text not null,
    profile_type text not null,
    creators bigint,
    uploads bigint,
    views bigint,
    engagement bigint,
    engagement_rate double precision,
    followers bigint,
    likes bigint,
    comments bigint,
    audience_age_gender jsonb,
    audience_age jsonb,
    audience_gender jsonb,
    enabled boolean not null default true,
    constraint genre_overview_pkey primary key (id)
);

create unique index if not exists genre_overview_key
    on genre_overview (month, platform, category, language, profile_type);

create index if not exists genre_overview_by_category
    on genre_overview (category, platform, month);
