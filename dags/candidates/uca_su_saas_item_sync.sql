-- Active applications to campaigns with a campaign collection in the report product, whose item there is missing.
-- Column: id. Applications of up to the day in Variable profile_items_since were never meant to get one.
select id
from campaign_replica.user_campaign_application
where
    active = 1
    and created_on > parseDateTimeBestEffort(%(profile_items_since)s, 'UTC')
    and ifNull(saas_campaign_collection_item_id, '') = ''
    and campaign_id in (
        select id from campaign_replica.campaign where ifNull(saas_campaign_collection_id, '') != ''
    )
