{{ config(tags=["weekly"], order_by="shortcode") }}

with
    events as (select * from {{ source("_e", "post_log_events") }}),

    observations as (
        select
            shortcode,
            event_timestamp,
            event_id,
            -- Providers nest the account in user or not.
            arrayMap(
                tag
                -> coalesce(nullIf(JSONExtractString(tag, 'user', 'username'), ''), JSONExtractString(tag, 'username')),
                JSONExtractArrayRaw(JSONExtractString(dimensions, 'user_tags'))
            ) as usernames,
            arrayDistinct(arrayFilter(username -> username != '', usernames)) as tagged
        from events
        -- Looking for the text is cheap and spares most events the parsing.
        where platform = 'INSTAGRAM' and shortcode != '' and position(dimensions, '"user_tags"') > 0
    ),

    final as (
        select shortcode, {{ latest("observations.tagged") }} as tagged
        from observations
        where notEmpty(observations.tagged)
        group by shortcode
    )

select *
from final
