{% macro order_free_sum(column) -%}
    {#- Adding floats in another order gives other last digits; adding decimals does not. -#}
    toFloat64(sum(toDecimal128({{ column }}, 6)))
{%- endmacro %}
