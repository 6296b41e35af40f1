{% macro instagram_post_ranks(all_posts) %}

    with
        posts as (select * from {{ all_posts }}),

        final as (
            select
                post_shortcode,
                -- A rank is a place among the posts of one profile, so a post without a known owner has none.
                assumeNotNull(profile_id) as profile_id,
                post_class,
                publish_time,
                row_number() over (
                    partition by profile_id order by publish_time desc, post_shortcode desc
                ) as post_rank,
                row_number() over (
                    partition by profile_id, post_class order by publish_time desc, post_shortcode desc
                ) as post_rank_by_class
            from posts
            where posts.profile_id is not null
        )

    select *
    from final

{% endmacro %}
