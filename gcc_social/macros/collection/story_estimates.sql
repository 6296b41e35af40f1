{% macro story_reach(followers, engagement_percent) -%}
    {#- Without engagement the formula has no logarithm: the reach is unknown, not infinite. -#}
    max2(
        round(
            -0.000025017 * {{ followers }}
            + 1.11
            * {{ followers }}
            * abs(log2(if({{ engagement_percent }} > 0, {{ engagement_percent }}, null)))
            * 2
            / 100
        ),
        0
    )
{%- endmacro %}


{% macro story_impressions(reach) -%} round({{ reach }} * (1.02 + ({{ reach }} % 10) / 100)) {%- endmacro %}
