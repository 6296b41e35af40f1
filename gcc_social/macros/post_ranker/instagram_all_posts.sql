{% macro instagram_all_posts(partial=false, accounts=none) %}
    {#- Columns of the rows that two feeds have in common; `feed` and the next two say which version of a post is the newest.
        partial: only posts of the accounts in the CTE `accounts` (platform_id), by default of those just refreshed. -#}
    {%- set no_story = "post_type != 'story'" %}

    with
        {% if partial -%}
            refreshed as (
                {% if accounts -%}select platform_id as profile_id, '' as handle from {{ accounts }}
                {%- else -%}
                    select profile_id, handle
                    from {{ ref("stg_beat_instagram_account") }}
                    where updated_at >= {{ run_time() }} - interval {{ var("partial_scope_hours") }} hour
                {%- endif %}
            ),

        {% endif -%}
        legacy_feed as (
            select
                0 as feed,
                toDateTime64(0, 6) as updated_at,
                -- Rows of this dump have no id: equal shortcodes are settled by their content.
                cityHash64(
                    toString((profile_id, handle, post_type, likes, comments, views, plays, publish_time))
                ) as id,
                nullIf(profile_id, '') as profile_id,
                handle,
                assumeNotNull(shortcode) as post_shortcode,
                post_type,
                likes,
                comments,
                views,
                plays,
                -- The dump's times are Indian.
                toDateTime64(publish_time, 6) - interval 330 minute as publish_time
            from {{ source("vidooly", "instagram_posts_historical") }}
            where shortcode != '' and ({{ no_story }} or post_type is null)
        ),

        current_feed as (
            select
                1 as feed,
                toDateTime64(updated_at, 6) as updated_at,
                toUInt64(id) as id,
                nullIf(profile_id, '') as profile_id,
                handle,
                assumeNotNull(shortcode) as post_shortcode,
                post_type,
                likes,
                comments,
                views,
                plays,
                toDateTime64(publish_time, 6) as publish_time
            from {{ merged(ref("stg_beat_instagram_post")) }}
            where shortcode != '' and {{ no_story }}
        ),

        feeds as (
            select *
            from legacy_feed
            union all
            select *
            from current_feed
        ),

        -- The newest version of a post has its numbers; an owner that it does not know comes from the newest version
        -- that does.
        posts as (
            select
                post_shortcode,
                argMax(profile_id, (feed, updated_at, id)) as profile_id,
                argMax(handle, (feed, updated_at, id)) as handle,
                argMax((post_type, likes, comments, views, plays, publish_time), (feed, updated_at, id)) as newest
            from feeds
            {% if partial -%}
                -- All versions of a post of which any belongs to a refreshed account, so that the same version wins
                -- as in the full model.
                where post_shortcode in (select post_shortcode from feeds where {{ belongs_to_refreshed_account() }})
            {% endif -%}
            group by post_shortcode
        ),

        final as (
            select
                profile_id,
                handle,
                post_shortcode,
                tupleElement(newest, 1) as post_type,
                {{ post_class("post_type") }} as post_class,
                tupleElement(newest, 2) as likes,
                tupleElement(newest, 3) as comments,
                tupleElement(newest, 4) as views,
                tupleElement(newest, 5) as plays,
                likes + comments as engagement,
                coalesce(tupleElement(newest, 6), toDateTime64('2000-01-01 00:00:00', 6)) as publish_time
            from posts
            {% if partial %} where {{ belongs_to_refreshed_account() }} {% endif %}
        )

{% endmacro %}


{% macro belongs_to_refreshed_account() -%}
    {#- A handle speaks for a post only while its owner is unknown: the handle of one profile may be another's by now. -#}
    (
        profile_id in (select profile_id from refreshed where profile_id != '')
        or (profile_id is null and handle in (select handle from refreshed where handle != ''))
    )
{%- endmacro %}
