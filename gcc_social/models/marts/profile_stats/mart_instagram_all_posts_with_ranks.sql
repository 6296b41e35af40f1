{{ config(tags=["post_ranker"], order_by="post_shortcode") }}

{{ instagram_all_posts_with_ranks(ref("mart_instagram_post_ranks"), ref("mart_instagram_all_posts"), with_reach=true) }}
