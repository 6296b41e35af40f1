{{ config(tags=["post_ranker"], order_by="post_shortcode") }}

{{ instagram_all_posts() }},

accounts as ({{ newest_account("profile_id") }})

select
    final.profile_id as profile_id,
    final.handle as handle,
    final.post_shortcode as post_shortcode,
    final.post_class as post_class,
    final.post_type as post_type,
    final.likes as likes,
    final.comments as comments,
    final.views as views,
    final.plays as plays,
    final.engagement as engagement,
    final.publish_time as publish_time,
    {{ estimated_reach("final.post_class", "final.plays", "final.likes", "accounts.followers") }} as reach,
    {{ estimated_impressions("final.post_class", "final.plays", "final.likes") }} as impressions
from final
left join accounts on final.profile_id = accounts.profile_id
