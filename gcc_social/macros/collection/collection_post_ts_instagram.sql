{% macro collection_post_ts_instagram(collection_type, posts, readings, fake_events, item_clicks=none) %}
    {#- Daily series of Instagram posts: the real reach and impressions of a day where an insight is known by then, else estimates. -#}
    with
        {{ collection_days(collection_type, "INSTAGRAM", posts, readings, fake_events) }},

        {% if item_clicks -%} item_clicks as (select * from {{ item_clicks }}), {%- endif %}

        account_rows as (select * from {{ ref("stg_beat_instagram_account") }}),

        accounts as (
            select
                assumeNotNull(account_rows.profile_id) as owner,
                nullIf(account_rows.handle, '') as handle,
                nullIf(account_rows.full_name, '') as full_name,
                account_rows.followers as followers
            from account_rows
            where account_rows.profile_id != ''
            order by account_rows.updated_at desc nulls last, account_rows.id desc
            limit 1 by owner
        ),

        measured_days as (
            select
                collection_days.*,
                coalesce(accounts.handle, collection_days.post_handle) as profile_handle,
                coalesce(accounts.full_name, profile_handle) as profile_name,
                coalesce(collection_days.followers_of_day, accounts.followers) as owner_followers,
                {{ post_class("collection_days.post_type") }} as post_class,
                coalesce(
                    nullIf(collection_days.real_reach, 0),
                    {{
                        estimated_reach(
                            "post_class", "collection_days.plays", "collection_days.likes", "owner_followers"
                        )
                    }}
                ) as reach,
                coalesce(
                    nullIf(collection_days.real_impressions, 0),
                    {{ estimated_impressions("post_class", "collection_days.plays", "collection_days.likes") }}
                ) as impressions
            from collection_days
            left join accounts on accounts.owner = collection_days.owner
        ),

        final as ({{ post_ts_rows("INSTAGRAM", item_clicks) }})

    select *
    from final

{% endmacro %}
