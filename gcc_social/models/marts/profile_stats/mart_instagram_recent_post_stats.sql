{{ config(tags=["post_ranker"], order_by="post_shortcode") }}

{{ instagram_recent_post_stats(ref("mart_instagram_all_posts_with_ranks")) }}
