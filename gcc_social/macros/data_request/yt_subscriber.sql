{#- Family yt_subscriber: who subscribes to which channel, by the events of one environment. -#}
{% macro yt_subscriber(events) %}
    {{
        relationships(
            events,
            when="relationship_type = 'subscription'",
            source={"name": "subscriber", "key": "source_channel_id"},
            target={"name": "channel", "key": "target_channel_id"},
            accounts=ref("int_youtube_account"),
            account_key="channel_id",
            observed={
                "timestamp": "nullIf("
                ~ latest("observations.subscribed_on", "observations.subscribed_on > toDateTime(0)")
                ~ ", toDateTime(0))",
                "event_timestamp": "max(observations.event_timestamp)",
            },
            attributes={"gcc_category": "category", "yt_category": "yt_category", "country": "country"},
        )
    }}
{% endmacro %}
