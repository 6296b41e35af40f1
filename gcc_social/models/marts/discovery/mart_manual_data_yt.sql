{{ config(tags=["hourly"], order_by="channel_id") }}

{%- set tagged = [
    "profile_type",
    "language",
    "category",
    "gender",
    "city",
    "state",
    "linked_instagram_handle",
    "email",
] %}

with
    manual_tags as (select * from {{ ref("manual_tags_youtube") }}),

    language_names as (select * from {{ ref("language_names") }}),

    category_names as (select * from {{ ref("manual_category_names") }}),

    state_names as (select * from {{ ref("state_names") }}),

    cleaned as (
        select
            manual_tags.channel_id as channel_id,
            manual_tags.is_override as is_override,
            manual_tags.tagged_on as tagged_on,
            multiIf(
                lower(manual_tags.creator_or_brand) = 'creator',
                'CREATOR',
                lower(manual_tags.creator_or_brand) = 'brand',
                'BRAND',
                null
            ) as profile_type,
            {{ language_of_name("manual_tags.language") }} as language,
            nullIf(category_names.category, '') as category,
            multiIf(
                lower(manual_tags.gender) in ('male', 'm'),
                'MALE',
                lower(manual_tags.gender) in ('female', 'f'),
                'FEMALE',
                null
            ) as gender,
            nullIf(trim(manual_tags.city), '') as city,
            nullIf(state_names.state, '') as state,
            -- The last part of an address; a host alone names nobody.
            nullIf(
                lower(
                    extract(
                        replaceRegexpOne(
                            trim(ifNull(manual_tags.linked_instagram_handle, '')),
                            '^(?i)(https?://)?([a-z0-9-]+\\.)+[a-z]{2,}/',
                            ''
                        ),
                        '([^/?#@]+)/*(?:[?#].*)?$'
                    )
                ),
                ''
            ) as linked_instagram_handle,
            nullIf(trim(manual_tags.email), '') as email
        from manual_tags
        left join category_names on category_names.label = lower(trim(manual_tags.category))
        left join state_names on state_names.spelling = lower(trim(manual_tags.state))
        where manual_tags.channel_id != ''
    ),

    -- A batch that says nothing about a column leaves it to the batch before.
    final as (
        select
            channel_id,
            {% for column in tagged -%}
                argMax(
                    cleaned.{{ column }}, (cleaned.is_override, cleaned.tagged_on, cleaned.{{ column }})
                ) as {{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from cleaned
        group by channel_id
    )

select *
from final
