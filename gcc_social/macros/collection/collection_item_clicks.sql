{% macro item_totals() -%}
    {{
        return(
            [
                "link_clicks",
                "orders",
                "delivered_orders",
                "completed_orders",
                "leaderboard_overall_orders",
                "leaderboard_delivered_orders",
                "leaderboard_completed_orders",
            ]
        )
    }}
{%- endmacro %}


{% macro collection_item_clicks(items, manual_clicks=none) %}
    {#- Clicks and orders of all sponsor links of an item. Clicks that a person counted are a floor, whether the item has a tracked link or not. -#}
    with
        items as (select * from {{ items }}),

        link_clicks as (select * from {{ source("campaign_replica", "link_clicks") }}),

        link_orders as (select * from {{ source("campaign_replica", "link_clicks_orders") }}),

        {% if manual_clicks -%} manual_clicks as (select * from {{ manual_clicks }}), {%- endif %}

        item_links as (select id, arrayJoin({{ sponsor_links("sponsor_links") }}) as link from items where enabled = 1),

        links as (select distinct link from item_links),

        clicks as (
            select {{ clean_link("link_clicks.url") }} as link, sum(link_clicks.unique_clicks) as clicks
            from link_clicks
            where link in (select link from links)
            group by link
        ),

        orders as (
            select
                {{ clean_link("link_orders.link") }} as clean_link,
                sum(link_orders.overall_orders) as orders,
                sum(link_orders.delivered_orders) as delivered_orders,
                sum(link_orders.completed_orders) as completed_orders,
                sum(link_orders.leaderboard_overall_orders) as leaderboard_overall_orders,
                sum(link_orders.leaderboard_delivered_orders) as leaderboard_delivered_orders,
                sum(link_orders.leaderboard_completed_orders) as leaderboard_completed_orders
            from link_orders
            where clean_link in (select link from links)
            group by clean_link
        ),

        tracked as (
            select
                item_links.id as id,
                sum(clicks.clicks) as clicks,
                {% for total in item_totals()[1:] %}
                    sum(orders.{{ total }}) as {{ total }}{% if not loop.last %},{% endif %}
                {% endfor %}
            from item_links
            left join clicks on clicks.link = item_links.link
            left join orders on orders.clean_link = item_links.link
            group by item_links.id
        ),

        final as (
            select
                items.id as post_collection_item_id,
                {% if manual_clicks -%} greatest({{ whole("tracked.clicks") }}, ifNull(manual_clicks.Clicks, 0))
                {%- else -%} {{ whole("tracked.clicks") }}
                {%- endif %} as link_clicks,
                {% for total in item_totals()[1:] %}
                    {{ whole("tracked." ~ total) }} as {{ total }}{% if not loop.last %},{% endif %}
                {% endfor %}
            from items
            left join tracked on tracked.id = items.id
            {% if manual_clicks -%}
                left join
                    manual_clicks
                    on manual_clicks.post_collection_id = items.post_collection_id
                    and manual_clicks.short_code = items.short_code
            {%- endif %}
            where items.enabled = 1
        )

    select *
    from final

{% endmacro %}


{% macro whole(column) -%} toUInt64(greatest({{ column }}, 0)) {%- endmacro %}
