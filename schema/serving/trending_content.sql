-- The most seen reels and videos per month and category.
-- Generated: python -m stir.serving ddl trending_content. The definition is plugins/stir/serving/targets/trending_content.py.

create table if not exists trending_content (
    id bigserial not null,
    month text not null,
    category text,
    platform text not null,
    language text,
    profile_type text,
    title text,
    description text,
    engagement bigint,
    engagement_rate double precision,
    views bigint,
    plays bigint,
    likes bigint,
    comments bigint,
    published_at timestamp,
    post_id text not null,
    post_type text,
    post_link text,
    thumbnail text,
    profile_social_id text not null,
    platform_account_id bigint,
    audience_gender jsonb,
    audience_age jsonb,
    plays_rank bigint,
    views_rank bigint,
    enabled boolean not null default true,
    constraint trending_content_pkey primary key (id)
);

create unique index if not exists trending_content_key
    on trending_content (platform, post_id);

create index if not exists trending_content_by_plays_rank
    on trending_content (month, platform, category, plays_rank);

create index if not exists trending_content_by_views_rank
    on trending_content (month, platform, category, views_rank);
