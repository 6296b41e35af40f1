{#-
    Family genre_overview: creators, what they published and earned, and who follows them, over every subset of month,
    language, category, profile type and platform.

    Emits CTEs that end in `final`. All five dimensions are in the CUBE and none is constant, so each rollup exists once;
    grouping() tells a rolled up dimension from a value, whatever the value is.

    country          keep accounts of this country only; none: every account
    whole_audience   whether demo_followers counts followers of accounts whose audience nobody has divided
-#}
{% macro genre_overview(country, whole_audience) %}
    {%- set bands = audience_bands() %}
    instagram_months as (select * from {{ ref("mart_insta_leaderboard_base") }}),

    youtube_months as (select * from {{ ref("mart_yt_leaderboard_base") }}),

    instagram_accounts as (select * from {{ ref("mart_instagram_account") }}),

    youtube_accounts as (select * from {{ ref("mart_youtube_account") }}),

    linked_socials as (select * from {{ ref("mart_linked_socials") }}),

    audiences as (select * from {{ ref("mart_audience_info") }}),

    account_months as (
        select
            'INSTAGRAM' as platform,
            profile_id as account_id,
            month,
            plays as views,
            likes,
            comments,
            followers,
            followers_change,
            uploads
        from instagram_months
        where month >= toDate('{{ var("leaderboard_first_month") }}')
        union all
        -- What a channel's videos lost when some were removed is no negative view of the month.
        select
            'YOUTUBE',
            channel_id,
            month,
            if(youtube_months.views < 0, 0, youtube_months.views),
            null,
            null,
            followers,
            followers_change,
            if(youtube_months.uploads < 0, 0, youtube_months.uploads)
        from youtube_months
        where month >= toDate('{{ var("leaderboard_first_month") }}')
    ),

    accounts as (
        select
            'INSTAGRAM' as platform,
            ig_id as account_id,
            country,
            primary_language as language,
            primary_category as category,
            profile_type
        from instagram_accounts
        union all
        select 'YOUTUBE', channel_id, country, language, category, profile_type
        from youtube_accounts
    ),

    -- Thousandths of a percent, in the order of genders_and_ages(): the sum of integers has no order of rows.
    audience_shares as (
        select
            platform,
            platform_id as account_id,
            arrayMap(
                label -> toInt64(round(1000 * age_group_percs[indexOf(age_groups, label)])),
                [{%- for cell in genders_and_ages() %}'{{ cell.label }}'{{ "," if not loop.last }}{% endfor %}]
            ) as shares
        from audiences
        where notEmpty(age_groups)
    ),

    entries as (
        select
            toString(account_months.month) as month,
            {{ label_of(language_code("accounts.language"), "MISSING", var("genre_languages")) }} as language,
            {{ label_of("accounts.category", "MISSING") }} as category,
            {{ label_of("accounts.profile_type", "CREATOR") }} as profile_type,
            account_months.platform as platform,
            -- The two accounts of one creator count once.
            if(linked_socials.channel_id != '', linked_socials.channel_id, account_months.account_id) as creator,
            account_months.month = max(account_months.month) over (
                partition by account_months.platform, account_months.account_id
            ) as is_newest,
            account_months.views as views,
            account_months.likes as likes,
            account_months.comments as comments,
            account_months.uploads as uploads,
            account_months.followers as followers,
            account_months.followers_change as followers_change,
            {% if whole_audience %} ifNull(account_months.followers, 0)
            {% else %} if(arraySum(audience_shares.shares) > 0, ifNull(account_months.followers, 0), 0)
            {% endif %} as demo_followers,
            arrayMap(share -> share * ifNull(account_months.followers, 0), audience_shares.shares) as people
        from account_months
        left join
            accounts on accounts.platform = account_months.platform and accounts.account_id = account_months.account_id
        left join
            audience_shares
            on audience_shares.platform = account_months.platform
            and audience_shares.account_id = account_months.account_id
        -- Ids of profiles are digits, those of channels begin with UC: no platform is needed here.
        left join linked_socials on linked_socials.profile_id = account_months.account_id
        {% if country %} where accounts.country = '{{ country }}' {% endif %}
    ),

    rollups as (
        select
            {% for dimension in genre_dimensions() -%}
                if(grouping(entries.{{ dimension }}) = 1, 'ALL', entries.{{ dimension }}) as {{ dimension }}_label,
            {% endfor -%}
            uniqExact(creator) as creators,
            sum(entries.views) as views,
            sum(entries.likes) as likes,
            sum(entries.comments) as comments,
            sumIf(entries.views, entries.likes is not null or entries.comments is not null) as answered_views,
            sum(entries.uploads) as uploads,
            sum(entries.followers_change) as followers_change,
            {{ level("sum", "entries.followers") }} as followers,
            {{ level("sum", "entries.demo_followers") }} as demo_followers,
            {{ level("sumForEach", "entries.people") }} as people
        from entries
        group by
            cube (
                {%- for dimension in genre_dimensions() %}
                    entries.{{ dimension }}{{ ", " if not loop.last }}
                {% endfor -%}
            )
    ),

    figures as (
        select
            {% for dimension in genre_dimensions() -%} {{ dimension }}_label as {{ dimension }}, {% endfor -%}
            creators,
            views,
            likes,
            comments,
            likes + comments as engagement,
            engagement / nullIf(answered_views, 0) as engagement_rate,
            followers,
            demo_followers,
            uploads,
            {% for band in bands -%}
                people[{{ loop.index }}] / 100000 as m_{{ band.name }},
                people[{{ loop.index + 7 }}] / 100000 as f_{{ band.name }},
                (people[{{ loop.index }}] + people[{{ loop.index + 7 }}]) / 100000 as a_{{ band.name }},
            {% endfor -%}
            arraySum(arraySlice(people, 1, 7)) / 100000 as male_gender,
            arraySum(arraySlice(people, 8, 7)) / 100000 as female_gender,
            {{ percentages_of_bands("m") }} as male_audience_age_gender,
            {{ percentages_of_bands("f") }} as female_audience_age_gender,
            map('male', male_audience_age_gender, 'female', female_audience_age_gender) as audience_age_gender,
            {{ percentages_of_bands("a") }} as audience_age,
            map(
                'male_per', {{ percentage("male_gender") }}, 'female_per', {{ percentage("female_gender") }}
            ) as audience_gender,
            followers_change
        from rollups
    ),

    final as (
        select
            {%- for column, type in genre_overview_columns().items() %}
                CAST(figures.{{ column }}, '{{ type }}') as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from figures
    )
{%- endmacro %}

{% macro genre_dimensions() %}
    {{ return(["month", "language", "category", "profile_type", "platform"]) }}
{% endmacro %}

{% macro audience_bands() %}
    {%- set bands = [] -%}
    {%- for cell in genders_and_ages() if cell.gender == "M" -%}
        {%- do bands.append({"band": cell.band, "name": cell.band | replace("-", "_") | replace("+", "_plus")}) -%}
    {%- endfor -%}
    {{ return(bands) }}
{% endmacro %}

{#- Serving leaves rows labelled MISSING out of the product. -#}
{% macro label_of(value, otherwise, accepted=none) -%}
    {%- set known = "ifNull(" ~ value ~ ", '')" -%}
    {%- if accepted -%} if({{ known }} in ('{{ accepted | join("', '") }}'), {{ known }}, '{{ otherwise }}')
    {%- else -%} if({{ known }} != '', {{ known }}, '{{ otherwise }}')
    {%- endif -%}
{%- endmacro %}

{#- A level, unlike a gain, does not add up over months: over all months an account counts with its newest one. -#}
{% macro level(aggregate, column) -%}
    if(grouping(entries.month) = 1, {{ aggregate }}If({{ column }}, is_newest), {{ aggregate }} ({{ column }}))
{%- endmacro %}

{% macro percentage(people) -%} if(demo_followers > 0, round(100 * {{ people }} / demo_followers, 2), 0) {%- endmacro %}

{% macro percentages_of_bands(prefix) -%}
    map(
        {%- for band in audience_bands() %}
            '{{ band.band }}', {{ percentage(prefix ~ "_" ~ band.name) }}{{ "," if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{% macro genre_overview_columns() %}
    {%- set columns = {
        "month": "String",
        "language": "String",
        "category": "String",
        "profile_type": "String",
        "platform": "String",
        "creators": "UInt64",
        "views": "Nullable(Int64)",
        "likes": "Nullable(Int64)",
        "comments": "Nullable(Int64)",
        "engagement": "Nullable(Int64)",
        "engagement_rate": "Nullable(Float64)",
        "followers": "Nullable(Int64)",
        "demo_followers": "Int64",
        "uploads": "Nullable(Int64)",
    } -%}
    {%- for prefix in ["m", "f", "a"] -%}
        {%- for band in audience_bands() -%}
            {%- do columns.update({prefix ~ "_" ~ band.name: "Float64"}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do columns.update(
        {
            "male_gender": "Float64",
            "female_gender": "Float64",
            "male_audience_age_gender": "Map(String, Float64)",
            "female_audience_age_gender": "Map(String, Float64)",
            "audience_age_gender": "Map(String, Map(String, Float64))",
            "audience_age": "Map(String, Float64)",
            "audience_gender": "Map(String, Float64)",
            "followers_change": "Nullable(Int64)",
        }
    ) -%}
    {{ return(columns) }}
{% endmacro %}
