{{ config(tags=["gcc_orders"], order_by=["platform", "platform_order_id"]) }}

{#- What the copy of an order keeps. Names, addresses, telephone numbers and notes of the buyer are not among it. -#}
{%- set kept_keys = [
    "id",
    "name",
    "created_at",
    "updated_at",
    "cancelled_at",
    "currency",
    "total_price",
    "total_discounts",
    "total_tax",
    "financial_status",
    "fulfillment_status",
    "tags",
] -%}

with
    shop_orders as (select * from {{ ref("stg_beat_order") }}),

    latest_orders as (
        select *, ifNull(order_data, '') as data, JSONType(data) = 'Object' as is_readable
        from shop_orders
        where
            JSONExtractString(ifNull(utm_params, ''), 'source') = 'gcc'
            and ifNull(platform, '') != ''
            and ifNull(platform_order_id, '') != ''
        order by updated_at desc nulls last, id desc
        limit 1 by platform, platform_order_id
    ),

    fulfilled_orders as (
        select
            *,
            JSONExtractArrayRaw(data, 'fulfillments') as fulfillments,
            -- The first that succeeded, else the first: a shop tries again after an error.
            arrayFirst(fulfillment -> JSONExtractString(fulfillment, 'status') = 'success', fulfillments) as successful,
            if(successful != '', successful, fulfillments[1]) as fulfillment,
            arrayFlatten(
                arrayMap(
                    refund -> JSONExtractArrayRaw(refund, 'refund_line_items'), JSONExtractArrayRaw(data, 'refunds')
                )
            ) as refunded_lines
        from latest_orders
    ),

    dated_orders as (
        select
            *,
            nullIf(JSONExtractString(fulfillment, 'status'), '') as fulfillment_word,
            nullIf(JSONExtractString(fulfillment, 'shipment_status'), '') as shipment_word,
            {% for key in ["created_at", "updated_at", "cancelled_at"] -%}
                parseDateTimeBestEffortOrNull(JSONExtractString(data, '{{ key }}')) as order_{{ key }},
            {% endfor -%}
            {% for key in ["created_at", "updated_at"] -%}
                parseDateTimeBestEffortOrNull(JSONExtractString(fulfillment, '{{ key }}')) as fulfillment_{{ key }},
            {% endfor -%}
            -- A success without a date had happened by the order's last change at the latest.
            if(
                fulfillment_word = 'success',
                coalesce(
                    fulfillment_created_at,
                    fulfillment_updated_at,
                    order_updated_at,
                    toDateTime(fulfilled_orders.updated_at)
                ),
                fulfillment_created_at
            ) as confirmed,
            toUInt8(
                JSONExtractString(data, 'financial_status') = 'refunded'
                or arrayExists(line -> JSONExtractString(line, 'restock_type') = 'return', refunded_lines)
            ) as returned
        from fulfilled_orders
    ),

    delivered_orders as (
        select
            *,
            multiIf(
                ifNull(fulfillment_word, '') != 'success',
                null,
                shipment_word = 'delivered',
                'observed',
                shipment_word is null
                and order_cancelled_at is null
                and confirmed + interval {{ var("assumed_delivery_days") }} day <= {{ run_time() }},
                'assumed',
                null
            ) as delivery,
            multiIf(
                delivery = 'observed',
                coalesce(fulfillment_updated_at, confirmed),
                delivery = 'assumed',
                confirmed + interval {{ var("assumed_delivery_days") }} day,
                null
            ) as delivered
        from dated_orders
    ),

    final as (
        select
            assumeNotNull(delivered_orders.platform) as platform,
            delivered_orders.store as store,
            {% for key in ["source", "medium", "campaign"] -%}
                nullIf(JSONExtractString(ifNull(utm_params, ''), '{{ key }}'), '') as utm_{{ key }},
            {% endfor -%}
            assumeNotNull(delivered_orders.platform_order_id) as platform_order_id,
            nullIf(JSONExtractString(data, 'name'), '') as store_order_id,
            toDecimal64OrNull(JSONExtractString(data, 'total_price'), 4) as total_price,
            fulfillment_word as fulfillment_status,
            nullIf(JSONExtractString(data, 'tags'), '') as tags,
            order_created_at as created_at,
            order_updated_at as updated_at,
            order_cancelled_at as cancelled_at,
            returned as is_returned,
            confirmed as confirmed_at,
            delivered as delivered_at,
            multiIf(
                not is_readable,
                'UNKNOWN',
                order_cancelled_at is not null,
                'CANCELLED',
                returned = 1,
                'RETURNED',
                delivery is not null,
                'DELIVERED',
                fulfillment_word = 'success',
                'CONFIRMED',
                ifNull(fulfillment_word, 'pending') in ('pending', 'open', 'cancelled', 'error', 'failure'),
                'PENDING',
                'UNKNOWN'
            ) as status,
            concat(
                '{',
                arrayStringConcat(
                    arrayMap(
                        entry -> concat('"', entry .1, '":', entry .2),
                        arrayFilter(
                            entry -> entry .1 in ('{{ kept_keys | join("', '") }}'), JSONExtractKeysAndValuesRaw(data)
                        )
                    ),
                    ','
                ),
                '}'
            ) as order_data,
            delivery as delivery_source
        from delivered_orders
    )

select *
from final
