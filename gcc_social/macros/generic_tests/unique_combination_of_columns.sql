{% test unique_combination_of_columns(model, combination_of_columns, merged=false) %}

    select {{ combination_of_columns | join(", ") }}, count() as rows_of_key
    from {{ model }}{% if merged %} final{% endif %}
    group by {{ combination_of_columns | join(", ") }}
    having rows_of_key > 1

{% endtest %}
