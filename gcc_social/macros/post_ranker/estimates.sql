{% macro post_class(post_type) -%} if(ifNull({{ post_type }}, '') = 'reels', 'reels', 'static') {%- endmacro %}


{% macro estimated_reach(post_class, plays, likes, followers) -%}
    {#- max2 keeps NULL, where greatest would ignore it. Zero followers and zero likes have no logarithm: they count as one and as no reach. -#}
    if(
        {{ post_class }} = 'reels',
        max2({{ plays }} * (0.94 - 0.001 * log2(max2({{ followers }}, 1))), 0),
        if({{ likes }} <= 0, 0, max2((7.6 - 0.7 * log10({{ likes }})) * 0.85 * {{ likes }}, 0))
    )
{%- endmacro %}


{% macro estimated_impressions(post_class, plays, likes) -%}
    if(
        {{ post_class }} = 'reels',
        max2({{ plays }}, 0),
        if({{ likes }} <= 0, 0, max2((7.6 - 0.75 * log10({{ likes }})) * 0.95 * {{ likes }}, 0))
    )
{%- endmacro %}


{% macro newest_account(key) -%}
    {#- Neither column is enforced upstream to be unique, and a handle changes hands: the account scraped last has it. -#}
    select
        assumeNotNull(accounts.{{ key }}) as {{ key }},
        {{ "handle" if key == "profile_id" else "profile_id" }},
        followers,
        following,
        media_count
    from {{ ref("stg_beat_instagram_account") }} as accounts
    where accounts.{{ key }} != ''
    order by updated_at desc nulls last, id desc
    limit 1 by {{ key }}
{%- endmacro %}
