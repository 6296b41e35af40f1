-- Posts of each collection with their latest numbers, clicks, orders and cost.
-- Generated: python -m stir.serving ddl collection_post_metrics_summary. The definition is plugins/stir/serving/targets/collection_post_metrics_summary.py.

create table if not exists collection_post_metrics_summary (
    id bigserial not null,
    platform text not null,
    post_short_code text not null,
    post_type text,
    post_title text,
    post_link text,
    post_thumbnail text,
    published_at timestamp,
    profile_social_id text,
    profile_handle text,
    profile_name text,
    profile_pic text,
    followers bigint,
    collection_id text not null,
    collection_share_id text not null,
    post_collection_item_id bigint,
    collection_type text not null,
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
    link_clicks bigint,
    orders bigint,
    er double precision,
    hashtags jsonb,
    cost bigint,
    delivered_orders bigint,
    completed_orders bigint,
    leaderboard_overall_orders bigint,
    leaderboard_delivered_orders bigint,
    leaderboard_completed_orders bigint,
    constraint collection_post_metrics_summary_pkey primary key (id)
);

create unique index if not exists collection_post_metrics_summary_key
    on collection_post_metrics_summary (collection_id, collection_type, platform, post_short_code);

create index if not exists collection_post_metrics_summary_by_share
    on collection_post_metrics_summary (collection_share_id, platform);
