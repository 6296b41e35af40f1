-- Accepted shortlisted users without a payout. Column: id. Users shortlisted up to the day in Variable payouts_since are
-- settled elsewhere. While the replica of payouts is empty nobody is chosen: it is being loaded, and everybody would
-- look unpaid.
select id
from campaign_replica.shortlisted_user
where
    active = 1
    and accepted = 1
    and created_on > parseDateTimeBestEffort(%(payouts_since)s, 'UTC')
    and id not in (
        select assumeNotNull(shortlisted_user_id)
        from campaign_replica.campaign_payout
        where shortlisted_user_id is not null
    )
    and (select count() from campaign_replica.campaign_payout) > 0
