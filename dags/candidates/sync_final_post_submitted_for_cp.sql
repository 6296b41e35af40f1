-- Campaign profiles that handed in a final post although an account of theirs says that they never did. Columns:
-- campaign_profile_id, submission_id (the newest). The reference joined submissions with accounts, so a profile with
-- several of either was sent several times and used up the limit; here it is one row.
select campaign_profile_id, max(id) as submission_id
from campaign_replica.deliverable_submission
where
    level = 'FINAL_POST'
    and platform_id in (1, 2)
    and campaign_profile_id in (
        select campaign_profile_id
        from identity_replica.social_account
        where ifNull(final_post_link_submitted_once, 0) = 0
    )
group by campaign_profile_id
