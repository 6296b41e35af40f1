{#-
    Grade of an account's metric against the percentiles of its peer group. NULL where there is nothing to grade: the value is
    unknown, 0 or not finite, or the group has no metrics or nobody in it has the metric.
-#}
{% macro metric_grade(metric, account="accounts", group="peers") -%}
    {%- set value = account ~ "." ~ metric -%}
    multiIf(
        {{ group }}.p40_{{ metric }} is null or not ifNull({{ value }} != 0 and isFinite(toFloat64({{ value }})), 0),
        null,
        {{ value }} > {{ group }}.p90_{{ metric }},
        'Excellent',
        {{ value }} > {{ group }}.p75_{{ metric }},
        'Very Good',
        {{ value }} > {{ group }}.p60_{{ metric }},
        'Good',
        {{ value }} > {{ group }}.p40_{{ metric }},
        'Average',
        'Poor'
    )
{%- endmacro %}


{#- The graded columns of a platform's mart: grade, score (a copy of the value, where the mart has one) and group average. -#}
{% macro graded_columns(platform, with_score=false, account="accounts", group="peers") -%}
    {%- for metric in peer_metrics(platform) %}
        {{ metric_grade(metric, account, group) }} as {{ metric }}_grade,
        {% if with_score -%} {{ account }}.{{ metric }} as {{ metric }}_score, {% endif -%}
        {{ group }}.group_avg_{{ metric }} as group_avg_{{ metric }},
    {%- endfor %}
{%- endmacro %}


{#- Names of the grades, the worst first. -#}
{% macro rating_names() -%} ['Poor', 'Average', 'Good', 'Very Good', 'Excellent'] {%- endmacro %}


{#- A grade as a number from 1 (Poor) to 5 (Excellent); 0 without one. -#}
{% macro grade_rating(grade) -%} toUInt8(indexOf({{ rating_names() }}, ifNull({{ grade }}, ''))) {%- endmacro %}
