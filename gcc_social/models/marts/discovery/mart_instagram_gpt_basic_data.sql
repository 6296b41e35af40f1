{{ config(tags=["hourly"], order_by="handle") }}

{%- set no_country = [
    "around the world",
    "bikini bottom",
    "earth",
    "global",
    "international",
    "middle east",
    "middle east and north africa",
    "multiple",
    "online",
    "somewhere in the world",
    "world",
    "worldwide",
    "various",
] -%}

with
    events as (select * from {{ source("_e", "profile_log_events") }}),

    country_codes as (select * from {{ source("ds", "country_codes") }}),

    language_names as (select * from {{ ref("language_names") }}),

    observations as (
        select coalesce(nullIf(events.handle, ''), profile_id) as handle, source, dimensions, event_timestamp, event_id
        from events
        where platform = 'INSTAGRAM' and source = '{{ var("gpt_profile_info_prompt") }}'
    ),

    -- Each flow asks some of the questions, so each has its own latest answer.
    answers as (
        select
            handle,
            {% for key in ["city", "state", "country", "languages", "gender"] -%}
                {{
                    latest(
                        "JSONExtractString(observations.dimensions, '" ~ key ~ "')",
                        "JSONHas(observations.dimensions, '" ~ key ~ "')",
                    )
                }} as {{ key }},
            {% endfor -%}
            max(observations.source) as source
        from observations
        where observations.handle != ''
        group by handle
    ),

    names as (
        select
            *,
            {{ listed_names("city") }} as city_names,
            {{ listed_names("state") }} as state_names,
            {{ listed_names("country", separators="/,|") }} as country_names,
            {{ listed_names("languages") }} as language_list
        from answers
    ),

    cleaned as (
        select
            handle,
            source,
            gender,
            {{ known_names("city_names", unknown_names()) }} as cities,
            {{ known_names("state_names", unknown_names()) }} as states,
            {{ known_names("country_names", unknown_names(no_country)) }} as countries,
            {{ known_names("language_list", unknown_names()) }} as languages
        from names
    ),

    code_of_country as (select lowerUTF8(name) as country, max(code) as code from country_codes group by country),

    final as (
        select
            cleaned.handle as handle,
            nullIf(cleaned.cities[1], '') as city,
            cleaned.cities as cities,
            nullIf(cleaned.states[1], '') as state,
            cleaned.states as states,
            nullIf(cleaned.countries[1], '') as country_name,
            nullIf(code_of_country.code, '') as country,
            cleaned.countries as countries,
            nullIf(cleaned.languages[1], '') as language_name,
            {{ language_of_name("cleaned.languages[1]") }} as language,
            cleaned.languages as languages,
            if(cleaned.gender in ('FEMALE', 'MALE'), cleaned.gender, null) as gender,
            cleaned.source as source
        from cleaned
        left join code_of_country on code_of_country.country = lowerUTF8(cleaned.countries[1])
    )

select *
from final
