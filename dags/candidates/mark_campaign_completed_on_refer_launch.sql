-- Shortlisted users through whose referral link the app was launched within a day. Columns: shortlisted_user_id,
-- launched_at (the first launch). Links are compared without their query strings. In the reference an empty link matched
-- every user without links, and only the first link of a user counted; here empty ones match nobody and each link counts.
with
    launches as (
        select cutQueryString(dynamic_link) as link, min(event_timestamp) as launched_at
        from _e.launch_refer_events
        where event_timestamp >= now('UTC') - interval 1 day and link != ''
        group by link
    ),
    links as (
        select
            shortlisted_user_id,
            cutQueryString(JSONExtractString(entry, 'link')) as link
        from campaign_replica.deliverable_shortlisted_user_link
        array join JSONExtractArrayRaw(ifNull(unique_link_data, '')) as entry
    )
select links.shortlisted_user_id as shortlisted_user_id, min(launches.launched_at) as launched_at
from links
inner join launches on launches.link = links.link
group by shortlisted_user_id
