-- Final posts under review whose content is to be compared with the campaign's reference post. Columns: submission_id,
-- post_type (story or reels), shortcode, profile_id (Instagram id of the submitter), reference_url.
-- A post counts when its format is a story (2), a reel (11) or a repost reel (42), its campaign is a reward ladder or a
-- repost challenge on Instagram (platform 1), and its brief lets content be verified without a human. The reference also
-- took briefs that verify only the link. Nothing to compare with, or nothing to compare, leaves a post out as well.
with
    submitters as (
        select
            profiles.id as campaign_profile_id,
            ifNull(accounts.ig_id, '') as profile_id
        from dbt.stg_coffee_campaign_profiles as profiles
        inner join dbt.stg_coffee_view_instagram_account_lite as accounts on accounts.id = profiles.platform_account_id
        where profiles.platform = 'INSTAGRAM' and profile_id != ''
    ),
    verifiable_briefs as (
        select id
        from campaign_replica.brief
        where auto_verification = 1 and content_auto_verification = 1
    ),
    campaigns as (
        select id
        from campaign_replica.campaign
        where campaign_type in ('REWARD_LADDER', 'REPOST_CHALLENGE') and platform_id = 1
    )
select
    submissions.id as submission_id,
    if(submissions.campaign_post_format_id = 2, 'story', 'reels') as post_type,
    submissions.short_code as shortcode,
    submitters.profile_id as profile_id,
    deliverables.reference_url as reference_url
from campaign_replica.deliverable_submission as submissions
inner join campaign_replica.campaign_deliverable as deliverables on deliverables.id = submissions.campaign_deliverable_id
inner join submitters on submitters.campaign_profile_id = submissions.campaign_profile_id
where
    submissions.status = 'UNDER_REVIEW'
    and submissions.level = 'FINAL_POST'
    and submissions.campaign_post_format_id in (2, 11, 42)
    and submissions.campaign_id in (select id from campaigns)
    and submissions.brief_id in (select id from verifiable_briefs)
    and ifNull(submissions.short_code, '') != ''
    and ifNull(deliverables.reference_url, '') != ''
