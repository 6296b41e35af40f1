{{ config(tags=["post_ranker_partial"], order_by="post_shortcode") }}

{{ instagram_post_ranks(ref("mart_instagram_all_posts_partial")) }}
