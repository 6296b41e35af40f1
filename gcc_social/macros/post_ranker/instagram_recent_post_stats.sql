{% macro instagram_recent_post_stats(all_posts_with_ranks) %}

    with
        posts as (select * from {{ all_posts_with_ranks }} where post_rank_by_class <= {{ var("recent_posts") }}),

        accounts as ({{ newest_account("profile_id") }}),

        final as (
            select
                posts.post_shortcode as post_shortcode,
                posts.profile_id as profile_id,
                accounts.handle as handle,
                accounts.followers as followers,
                accounts.following as following,
                posts.post_type as post_type,
                posts.likes as likes,
                posts.comments as comments,
                posts.views as views,
                posts.plays as plays,
                posts.publish_time as publish_time,
                posts.post_rank as post_rank,
                posts.post_rank_by_class as post_rank_by_class,
                posts.post_class as post_class,
                posts.engagement as engagement,
                {{ estimated_reach("posts.post_class", "posts.plays", "posts.likes", "accounts.followers") }} as reach,
                {{ estimated_impressions("posts.post_class", "posts.plays", "posts.likes") }} as impressions,
                posts.engagement / nullIf(accounts.followers, 0) as er
            from posts
            left join accounts on posts.profile_id = accounts.profile_id
        )

    select *
    from final

{% endmacro %}
