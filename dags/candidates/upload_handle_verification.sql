-- Final posts under review of which it is not known yet whether they belong to whoever handed them in. Columns:
-- submission_id, shortcode, submitter_id, submitter_handle (the account that the submitter is known by), owner_id,
-- owner_handle (the account that the post was scraped from).
-- Campaigns are those on Instagram (platform 1) with a collection in the report product. Submissions of up to the day in
-- Variable handle_checks_since are not checked. Both sides must be known: in the reference a submitter without an
-- account was sent as an empty one and looked like a fraud, and so did an owner who had changed the handle, because the
-- oldest reading of the post counted. Here the newest does.
with
    submissions as (
        select id, campaign_profile_id, ifNull(short_code, '') as shortcode
        from campaign_replica.deliverable_submission
        where
            status = 'UNDER_REVIEW'
            and level = 'FINAL_POST'
            and campaign_post_format_id in (1, 2, 3, 11, 12, 42)
            and handle_verified is null
            and created_on > parseDateTimeBestEffort(%(handle_checks_since)s, 'UTC')
            and campaign_id in (
                select id
                from campaign_replica.campaign
                where platform_id = 1 and ifNull(saas_collection_id, '') != ''
            )
    ),
    owners as (
        select
            ifNull(shortcode, '') as shortcode,
            argMax((ifNull(profile_id, ''), ifNull(handle, '')), (updated_at, id)) as owner
        from dbt.stg_beat_instagram_post
        where
            shortcode in (select shortcode from submissions where shortcode != '')
            and ifNull(profile_id, '') != ''
            and ifNull(handle, '') != ''
        group by shortcode
    ),
    submitters as (
        select
            profiles.id as campaign_profile_id,
            ifNull(accounts.ig_id, '') as ig_id,
            ifNull(accounts.handle, '') as handle
        from dbt.stg_coffee_campaign_profiles as profiles
        inner join dbt.stg_coffee_view_instagram_account_lite as accounts on accounts.id = profiles.platform_account_id
        where profiles.platform = 'INSTAGRAM' and ig_id != '' and handle != ''
    )
select
    submissions.id as submission_id,
    submissions.shortcode as shortcode,
    submitters.ig_id as submitter_id,
    submitters.handle as submitter_handle,
    owners.owner.1 as owner_id,
    owners.owner.2 as owner_handle
from submissions
inner join owners on owners.shortcode = submissions.shortcode
inner join submitters on submitters.campaign_profile_id = submissions.campaign_profile_id
