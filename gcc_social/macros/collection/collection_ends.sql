{% macro collection_ends(posts, readings) %}
    {#- The last day on which any post of a collection was read: its series end there. -#}
    select posts.collection_type, posts.collection_id, max(readings.stats_date) as last_day
    from {{ posts }} as posts
    inner join
        {{ readings }} as readings
        on readings.platform = posts.platform
        and readings.post_short_code = posts.post_short_code
    group by posts.collection_type, posts.collection_id
{% endmacro %}
