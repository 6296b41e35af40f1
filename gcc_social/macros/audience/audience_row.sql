{#-
    Family audience_row: one shape for what is known of an account's audience, whoever says it.

    A model gathers a relation with the columns platform, platform_id, platform_handle and three lists of parts, `ages`,
    `cities` and `countries`, and lets audience_row() write the columns of audience_columns() from it. A part is a tuple
    (amount, label); shares are percentages of the list's total, so they add up to 100 but for their rounding.
    What a tier does not know is NULL or an empty list, never 0.
-#}
{% macro audience_columns() %}
    {{
        return(
            {
                "platform": "String",
                "platform_id": "String",
                "platform_handle": "Nullable(String)",
                "reachable_followers_perc": "Nullable(Float64)",
                "audience_authenticity": "Nullable(Float64)",
                "breakup_low_followers": "Nullable(Float64)",
                "breakup_high_following": "Nullable(Float64)",
                "breakup_audience_authenticity": "Nullable(Float64)",
                "breakup_audience_authenticity_grade": "Nullable(String)",
                "breakup_high_following_grade": "Nullable(String)",
                "breakup_low_followers_grade": "Nullable(String)",
                "breakup_followers_growth30d_grade": "Nullable(String)",
                "breakup_views_30d_grade": "Nullable(String)",
                "breakup_uploads_30d_grade": "Nullable(String)",
                "audience_quality_score": "Nullable(Float64)",
                "audience_quality_grade": "Nullable(String)",
                "male_followers_perc": "Nullable(Float64)",
                "female_followers_perc": "Nullable(Float64)",
                "notable_followers": "Array(String)",
                "age_groups": "Array(String)",
                "age_group_percs": "Array(Float64)",
                "cities": "Array(String)",
                "city_percs": "Array(Float64)",
                "countries": "Array(String)",
                "country_percs": "Array(Float64)",
                "tier": "String",
                "source": "String",
            }
        )
    }}
{% endmacro %}


{% macro audience_row(audience, tier, source, age_digits=2, given={}) -%}
    {#- `given` holds the expressions of columns that only this tier knows, or knows better than its lists of parts say. -#}
    {%- set expressions = {
        "platform": audience ~ ".platform",
        "platform_id": audience ~ ".platform_id",
        "platform_handle": audience ~ ".platform_handle",
        "male_followers_perc": share_of_labels(audience ~ ".ages", "M_", age_digits),
        "female_followers_perc": share_of_labels(audience ~ ".ages", "F_", age_digits),
        "notable_followers": "[]",
        "age_groups": labels_of_parts(audience ~ ".ages"),
        "age_group_percs": shares_of_parts(audience ~ ".ages", age_digits),
        "cities": labels_of_parts(audience ~ ".cities"),
        "city_percs": shares_of_parts(audience ~ ".cities"),
        "countries": labels_of_parts(audience ~ ".countries"),
        "country_percs": shares_of_parts(audience ~ ".countries"),
        "tier": "'" ~ tier ~ "'",
        "source": source,
    } -%}
    {%- do expressions.update(given) %}
    select
        {%- for column, type in audience_columns().items() %}
            CAST({{ expressions.get(column, "null") }}, '{{ type }}') as {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ audience }}
{%- endmacro %}
