{% test not_null_proportion(model, column_name, at_least) %}

    select count() as all_rows, countIf({{ column_name }} is not null) as filled_rows
    from {{ model }}
    having all_rows > 0 and filled_rows < {{ at_least }} * all_rows

{% endtest %}
