{% test genre_rollups_add_up(model) %}

    {#-
    Rollups of which the parts do not make up the whole, or which is there twice. Levels (followers, demography) do not add
    up over months; a creator's two accounts may differ in language, category and profile type, so creators add up on one
    platform only.
-#}
    {%- set flows = ["views", "likes", "comments", "uploads", "followers_change"] -%}
    {%- set levels = ["followers", "demo_followers", "male_gender", "female_gender", "m_18_24", "f_65_plus"] -%}
    {%- for dimension in genre_dimensions() %}
        {%- set others = genre_dimensions() | reject("equalto", dimension) | list -%}
        {%- set measures = flows + (levels if dimension != "month" else []) %}
        select '{{ dimension }}' as rolled_up, [{{ others | join(", ") }}] as where_it_is
        from {{ model }}
        group by {{ others | join(", ") }}
        having
            countIf({{ dimension }} = 'ALL') != 1
            {%- for measure in measures %}
                or abs(
                    ifNull(sumIf({{ measure }}, {{ dimension }} = 'ALL'), 0)
                    - ifNull(sumIf({{ measure }}, {{ dimension }} != 'ALL'), 0)
                )
                > 0.01
            {%- endfor %}
            {%- if dimension in ["language", "category", "profile_type"] %}
                or (
                    platform != 'ALL'
                    and sumIf(creators, {{ dimension }} = 'ALL') != sumIf(creators, {{ dimension }} != 'ALL')
                )
            {%- endif %}
            {{ "union all" if not loop.last }}
    {%- endfor %}

{% endtest %}
