{{ config(tags=["post_ranker_partial"], order_by="post_shortcode") }}

{{ instagram_all_posts(partial=true) }}

select
    profile_id, handle, post_shortcode, post_type, post_class, likes, comments, views, plays, engagement, publish_time
from final
