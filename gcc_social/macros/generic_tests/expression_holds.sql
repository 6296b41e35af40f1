{% test expression_holds(model, expression) %}

    select * from {{ model }} where not ifNull({{ expression }}, 1)

{% endtest %}
