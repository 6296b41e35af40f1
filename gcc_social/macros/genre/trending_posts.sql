{#-
    Family trending_content: the most seen posts of Indian accounts per month of publication and category of the account.

    trending_posts() continues a WITH list that imports `posts` and `accounts` and ends in `trending`: one row per post
    that is among the first var("trending_posts") of its month and category, with its `place`.

    account, category    columns of accounts: the key, and the category
    owner, published_at  columns of posts
    metric               what posts are ranked by; equal ones stand by shortcode, so no two share a place
    counters             columns of posts to keep
    counts               condition on the newest version of a post (`newest_posts`) under which it competes
    title, description   texts; they join after the ranking, which then sorts narrow rows
-#}
{% macro trending_posts(account, category, owner, published_at, metric, counters, counts, title, description) %}
    {{ newest_posts([owner, published_at, "post_type"] + counters) }},

    candidates as (
        select
            newest_posts.id as id,
            accounts.{{ account }} as profile_id,
            newest_posts.shortcode as short_code,
            newest_posts.post_type as post_type,
            ifNull(nullIf(accounts.profile_type, ''), 'CREATOR') as profile_type,
            {%- for counter in counters %} newest_posts.{{ counter }} as {{ counter }}, {%- endfor %}
            nullIf(accounts.{{ category }}, '') as category,
            toStartOfMonth(ifNull(toDate(newest_posts.{{ published_at }}), toDate('2000-01-01'))) as month
        from newest_posts
        inner join accounts on accounts.{{ account }} = newest_posts.{{ owner }}
        where accounts.country = 'IN' and {{ counts }}
    ),

    ranked as (
        select *, row_number() over (partition by month, category order by {{ metric }} desc, short_code desc) as place
        from candidates
    ),

    places as (select * from ranked where place <= {{ var("trending_posts") }}),

    trending as (
        select
            {%- for column in [
                "profile_id",
                "short_code",
                "post_type",
                "profile_type",
                "category",
                "month",
                "place",
            ] + counters %}
                places.{{ column }} as {{ column }},
            {%- endfor %}
            posts.{{ title }} as title,
            posts.{{ description }} as description
        from posts
        inner join places on places.id = posts.id
    )
{%- endmacro %}

{#-
    One row per shortcode, the whole row of its newest version. `among` limits the shortcodes. Few posts have several versions, so
    putting each post's own in order takes a fraction of the time and memory of sorting all posts.
-#}
{% macro newest_posts(columns, among=none) %}
    newest_posts as (
        select
            shortcode,
            newest .2 as id
            {%- for column in columns %}, newest.{{ loop.index + 2 }} as {{ column }} {%- endfor %}
        from
            (
                select
                    assumeNotNull(posts.shortcode) as shortcode,
                    arrayReverseSort(
                        groupArray(
                            tuple(
                                ifNull(posts.updated_at, toDateTime64(0, 6)),
                                posts.id
                                {%- for column in columns %}, posts.{{ column }} {%- endfor %}
                            )
                        )
                    )[1] as newest
                from posts
                where
                    posts.shortcode != ''
                    {%- if among %} and posts.shortcode in (select short_code from {{ among }}) {%- endif %}
                group by shortcode
            )
    )
{%- endmacro %}

{#- Columns of the serving table's mart, with their types. -#}
{% macro trending_content_columns() %}
    {{
        return(
            {
                "platform": "String",
                "month": "Date",
                "profile_id": "String",
                "short_code": "String",
                "title": "Nullable(String)",
                "description": "Nullable(String)",
                "views": "Nullable(Int64)",
                "likes": "Nullable(Int64)",
                "comments": "Nullable(Int64)",
                "engagement": "Nullable(Int64)",
                "engagement_rate": "Nullable(Float64)",
                "plays": "Nullable(Int64)",
                "views_rank": "Nullable(UInt64)",
                "plays_rank": "Nullable(UInt64)",
                "post_type": "Nullable(String)",
                "profile_type": "String",
                "post_url": "String",
                "thumbnail_url": "Nullable(String)",
                "publish_time": "Nullable(DateTime64(6))",
                "language": "Nullable(String)",
                "category": "Nullable(String)",
                "views_source": "String",
            }
        )
    }}
{% endmacro %}

{% macro trending_content_rows(relation) -%}
    select
        {%- for column, type in trending_content_columns().items() %}
            CAST({{ relation }}.{{ column }}, '{{ type }}') as {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ relation }}
{%- endmacro %}
