-- Active campaign applications for which the campaign service holds no journey. Column: id.
select id
from campaign_replica.user_campaign_application
where
    active = 1
    and id not in (select assumeNotNull(uca_id) from campaign_replica.user_campaign_journey where uca_id is not null)
