{#-
    What a peer group is measured by. Percentiles are exact and interpolated, over positive values. Averages are over
    0 < value < 10^10 and add decimals, so that the order of rows changes no digit.
-#}
{% macro peer_group_statistics(value, name) -%}
    {%- set positive = "if(" ~ value ~ " > 0 and isFinite(" ~ value ~ "), " ~ value ~ ", null)" -%}
    {%- set countable = value ~ " > 0 and " ~ value ~ " < 1e10" -%}
    {%- for percent in [40, 60, 75, 90] %}
        quantileExactInclusive({{ percent / 100 }})({{ positive }}) as p{{ percent }}_{{ name }},
    {%- endfor %}
    avgOrNullIf(
        toDecimal128(ifNull(if({{ countable }}, {{ value }}, 0), 0), 12), {{ countable }}
    ) as group_avg_{{ name }}
{%- endmacro %}
