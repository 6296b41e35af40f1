{{ config(tags=["post_ranker_partial"], order_by="post_shortcode") }}

{{
    instagram_all_posts_with_ranks(
        ref("mart_instagram_post_ranks_partial"), ref("mart_instagram_all_posts_partial"), with_reach=false
    )
}}
