-- Numbers of each post of a collection, day by day.
-- Generated: python -m stir.serving ddl collection_post_metrics_ts. The definition is plugins/stir/serving/targets/collection_post_metrics_ts.py.

create table if not exists collection_post_metrics_ts (
    id bigserial not null,
    platform text not null,
    post_short_code text not null,
    post_type text,
    post_title text not null default '',
    post_link text,
    post_thumbnail text,
    published_at timestamp,
    profile_social_id text,
    profile_handle text,
    profile_name text,
    profile_pic text,
    platform_account_code bigint not null,
    followers bigint,
    collection_type text not null,
    collection_id text not null,
    collection_share_id text not null,
    post_collection_item_id bigint not null,
    link_clicks bigint,
    orders bigint,
    stats_date timestamp not null,
    views double precision,
    likes bigint,
    comments bigint,
    impressions double precision,
    saves bigint,
    plays bigint,
    reach double precision,
    swipe_ups bigint,
    mentions bigint,
    sticker_taps bigint,
    shares bigint,
    story_exits bigint,
    story_back_taps bigint,
    story_forward_taps bigint,
    er double precision,
    constraint collection_post_metrics_ts_pkey primary key (id)
);

create unique index if not exists collection_post_metrics_ts_key
    on collection_post_metrics_ts (collection_id, collection_type, platform, post_short_code, post_collection_item_id, stats_date);

create index if not exists collection_post_metrics_ts_by_share
    on collection_post_metrics_ts (collection_share_id, stats_date);
