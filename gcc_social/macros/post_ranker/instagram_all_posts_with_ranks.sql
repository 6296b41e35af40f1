{% macro instagram_all_posts_with_ranks(post_ranks, all_posts, with_reach) %}

    with
        ranks as (select * from {{ post_ranks }}),

        posts as (select * from {{ all_posts }}),

        final as (
            select
                ranks.post_shortcode as post_shortcode,
                ranks.post_rank as post_rank,
                ranks.post_rank_by_class as post_rank_by_class,
                ranks.profile_id as profile_id,
                posts.handle as handle,
                posts.post_type as post_type,
                posts.likes as likes,
                posts.comments as comments,
                posts.views as views,
                posts.plays as plays,
                posts.engagement as engagement,
                posts.post_class as post_class,
                posts.publish_time as publish_time
                {%- if with_reach %}, posts.reach as reach, posts.impressions as impressions {%- endif %}
            from ranks
            inner join posts on ranks.post_shortcode = posts.post_shortcode
        )

    select *
    from final

{% endmacro %}
