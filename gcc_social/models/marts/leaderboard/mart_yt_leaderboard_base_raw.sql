{{ config(tags=["daily", "leaderboard"], order_by=["month", "channel_id"]) }}

with
    early_dump as (select * from {{ source("vidooly", "channels_monthly_stats_text") }}),

    late_dump as (select * from {{ source("vidooly", "channels_monthly_stats") }}),

    profile_days as (select * from {{ merged(ref("stg_beat_profile_log")) }}),

    -- What was observed live corrects the dumps, and the later dump corrects the earlier one.
    snapshots as (
        select
            channel_id,
            seen_on,
            lifetime_views,
            lifetime_followers,
            lifetime_uploads,
            (
                feed, seen_on, ifNull(lifetime_followers, -1), ifNull(lifetime_views, -1), ifNull(lifetime_uploads, -1)
            ) as best
        from
            (
                select
                    id as channel_id,
                    ifNull(toDate(parseDateTimeBestEffortOrNull(month)), toDate(0)) as seen_on,
                    toInt64OrNull(lifetime_views) as lifetime_views,
                    toInt64OrNull(lifetime_subscribers) as lifetime_followers,
                    toInt64OrNull(lifetime_uploads) as lifetime_uploads,
                    1 as feed
                from early_dump
                union all
                select
                    id,
                    ifNull(toDate(parseDateTimeBestEffortOrNull(month)), toDate(0)),
                    lifetime_views,
                    lifetime_subscribers,
                    lifetime_uploads,
                    2
                from late_dump
                union all
                select profile_id, date, views, followers, uploads, 3
                from profile_days
                where profile_days.platform = 'YOUTUBE'
            )
        where channel_id != '' and seen_on >= toDate('{{ var("leaderboard_first_month") }}')
    ),

    final as (
        select
            toStartOfMonth(seen_on) as month,
            channel_id,
            argMax(snapshots.lifetime_views, best) as lifetime_views,
            assumeNotNull(argMax(snapshots.lifetime_followers, best)) as lifetime_followers,
            argMax(snapshots.lifetime_uploads, best) as lifetime_uploads
        from snapshots
        group by month, channel_id
        having max(snapshots.lifetime_followers) is not null
    )

select *
from final
