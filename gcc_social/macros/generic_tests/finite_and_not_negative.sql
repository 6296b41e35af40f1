{% test finite_and_not_negative(model, columns) %}

    select *
    from {{ model }}
    where
        {% for column in columns -%}
            not ifNull(isFinite({{ column }}) and {{ column }} >= 0, 1) {%- if not loop.last %} or {% endif %}
        {% endfor %}

{% endtest %}
