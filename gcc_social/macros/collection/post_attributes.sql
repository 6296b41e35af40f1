{% macro instagram_post_attributes() %}
    {#- Reads instagram_posts, pictures and collected_codes of the caller; one row per collected post, the columns of youtube_post_attributes. -#}
    select
        'INSTAGRAM' as platform,
        versions.post_short_code as post_short_code,
        versions.profile_id as profile_id,
        versions.handle as post_handle,
        versions.post_type as post_type,
        versions.caption as post_title,
        versions.caption as described,
        coalesce(nullIf(pictures.url, ''), versions.display_url) as post_thumbnail,
        versions.publish_time as published_at,
        versions.reach as stored_reach,
        versions.impressions as stored_impressions,
        versions.profile_follower as story_followers,
        versions.profile_er as story_engagement
    from
        (
            select
                assumeNotNull(posts.shortcode) as post_short_code,
                {% for column in ["profile_id", "handle", "post_type", "caption", "display_url"] %}
                    {{ latest_version("nullIf(posts." ~ column ~ ", '')") }} as {{ column }},
                {% endfor %}
                {% for column in ["publish_time", "reach", "impressions", "profile_follower", "profile_er"] %}
                    {{ latest_version("posts." ~ column) }} as {{ column }}{% if not loop.last %},{% endif %}
                {% endfor %}
            from instagram_posts as posts
            where posts.shortcode in (select short_code from collected_codes where platform = 'INSTAGRAM')
            group by posts.shortcode
        ) as versions
    left join pictures on pictures.entity_id = versions.post_short_code
{% endmacro %}


{% macro youtube_post_attributes() %}
    select
        'YOUTUBE' as platform,
        versions.post_short_code as post_short_code,
        versions.channel_id as profile_id,
        versions.channel_id as post_handle,
        versions.post_type as post_type,
        versions.title as post_title,
        versions.description as described,
        {{ larger_thumbnail("versions.thumbnail") }} as post_thumbnail,
        versions.published_at as published_at,
        null as stored_reach,
        null as stored_impressions,
        null as story_followers,
        null as story_engagement
    from
        (
            select
                assumeNotNull(posts.shortcode) as post_short_code,
                {% for column in ["channel_id", "post_type", "title", "description", "thumbnail"] %}
                    {{ latest_version("nullIf(posts." ~ column ~ ", '')") }} as {{ column }},
                {% endfor %}
                {{ latest_version("posts.published_at") }} as published_at
            from youtube_posts as posts
            where posts.shortcode in (select short_code from collected_codes where platform = 'YOUTUBE')
            group by posts.shortcode
        ) as versions
{% endmacro %}


{% macro latest_version(column) -%}
    {#- The scraper may hold several rows of one post. Each attribute is the latest known one: argMax passes over NULL. -#}
    argMax({{ column }}, tuple(posts.updated_at, posts.id))
{%- endmacro %}
