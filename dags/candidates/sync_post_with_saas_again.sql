-- Submissions whose status disagrees with that of their item in the report product. Columns: id, status,
-- saas_post_item_status. Without an item status (NULL equals nothing and differs from nothing) the product was never told
-- about the submission, which is somebody else's work.
select id, status, saas_post_item_status
from campaign_replica.deliverable_submission
where
    (status = 'UNDER_REVIEW' and saas_post_item_status != 'UNDER_REVIEW_ADDED')
    or (status = 'APPROVED' and saas_post_item_status != 'ADDED')
    or (status = 'REJECTED' and saas_post_item_status != 'REMOVED')
