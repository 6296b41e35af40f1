{#-
    The columns of an account's row one period earlier.

    `previous_available` is 1 when the account's preceding row is at most `gap_days` older (31: the calendar month
    before, 7: the week before); otherwise, and for an account's first row, each prev_* is NULL: unknown is not zero,
    and a row is never compared with itself.
-#}
{% macro previous_available(period, gap_days, window) -%}
    toUInt8(ifNull({{ period }} - lagInFrame(toNullable({{ period }})) over {{ window }} <= {{ gap_days }}, 0))
{%- endmacro %}

{% macro previous_value(column, available, window) -%}
    if({{ available }} = 1, lagInFrame(toNullable({{ column }})) over {{ window }}, null)
{%- endmacro %}

{% macro account_history_window(key, period) -%}
    partition by {{ key | join(", ") }} order by {{ period }} rows between unbounded preceding and current row
{%- endmacro %}
