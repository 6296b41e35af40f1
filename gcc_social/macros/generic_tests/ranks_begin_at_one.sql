{% test ranks_begin_at_one(model, metrics) %}

    {#- Rows of which a rank of leaderboard_metrics(metrics), of this month or of the one before, is 0. -#}
    {%- set names = rank_names(leaderboard_metrics(metrics)) -%}
    select month, platform_id
    from {{ model }}
    where least({{ names | join(", ") }}) < 1 {%- for name in names %} or {{ name }}_prev < 1 {%- endfor %}

{% endtest %}
