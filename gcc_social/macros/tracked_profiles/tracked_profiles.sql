{#-
    Family tracked_profiles: crawl lists. A source of handles has a name, a priority (smaller is more urgent) and
    the days between two crawls. Add a source: a CTE of its handles and one entry in the model's list.
-#}
{#-
    Condition on a finished scrape request that counts as an attempt. `passing` is a pattern of outcomes that are
    the scraper's own trouble.
-#}
{% macro is_attempt(flows, passing) -%}
    flow in ('{{ flows | join("', '") }}')
    and status in ('COMPLETE', 'FAILED')
    and scraped_at is not null
    and not match(ifNull(data, ''), '{{ passing }}')
{%- endmacro %}

{#-
    CTE body: one row per handle and source. `sources` holds {name, priority, members, days}: `members` is a CTE
    with a column handle. A source that differs from handle to handle names columns of it: name_column,
    priority_column, days_column.
-#}
{% macro handles_of_sources(sources) -%}
    {%- for source in sources %}
        select
            assumeNotNull(members.handle) as handle,
            {{ source.name_column or "'" ~ source.name ~ "'" }} as source,
            toUInt8({{ source.priority_column or source.priority }}) as priority,
            toUInt16({{ source.days_column or source.days }}) as days
        from {{ source.members }} as members
        where ifNull(members.handle, '') != ''
        {%- if not loop.last %}
            union all
        {% endif %}
    {%- endfor %}
{%- endmacro %}

{#-
    CTE body: of each handle the row of its most urgent source. Equal priorities: the one crawled more often, then
    the alphabet.
-#}
{% macro most_urgent_source(relation) -%}
    select * from {{ relation }} order by priority, days, source limit 1 by handle
{%- endmacro %}

{#- Condition on a row of a leaderboard: among the first of one of its boards that do not look at the profile type. -#}
{% macro on_a_tracked_board(platform) -%}
    month >= toDate('{{ var("tracked_leaderboards_from") }}')
    and least(
        {%- for name in rank_names(leaderboard_metrics(platform)) if not name.endswith("_profile") %}
            {{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    )
    < {{ var("leaderboard_depth") }}
{%- endmacro %}
