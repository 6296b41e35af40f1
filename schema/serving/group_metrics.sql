-- Average metrics and engagement histogram of each peer group.
-- Generated: python -m stir.serving ddl group_metrics. The definition is plugins/stir/serving/targets/group_metrics.py.

create table if not exists group_metrics (
    id bigserial not null,
    group_key text not null,
    group_avg_likes double precision,
    group_avg_comments double precision,
    group_avg_comments_rate double precision,
    group_avg_followers double precision,
    group_avg_engagement_rate double precision,
    group_avg_reels_reach double precision,
    group_avg_image_reach double precision,
    group_avg_story_reach double precision,
    group_avg_shorts_reach double precision,
    group_avg_video_reach double precision,
    group_avg_likes_to_comment_ratio double precision,
    group_avg_followers_growth7d double precision,
    group_avg_followers_growth30d double precision,
    group_avg_followers_growth90d double precision,
    group_avg_audience_reachability double precision,
    group_avg_audience_authencity double precision,
    group_avg_audience_quality double precision,
    group_avg_post_count double precision,
    group_avg_reaction_rate double precision,
    group_avg_likes_spread double precision,
    group_avg_followers_growth1y double precision,
    group_avg_posts_per_week double precision,
    profiles bigint,
    bin_start jsonb,
    bin_end jsonb,
    bin_height jsonb,
    constraint group_metrics_pkey primary key (id)
);

create unique index if not exists group_metrics_key
    on group_metrics (group_key);
