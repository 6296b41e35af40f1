-- What one page of users could be invited to: one row per user and campaign, in the order in which the campaigns were
-- recommended; a user without any has one row. Columns: cp_id (users come by it, from the one after %(after)s, at most
-- %(page_size)s of them), account_id, webengage_user_id, kind (challenge or collab), place (1 is the best), known (1:
-- the campaign can be offered), and the columns of the card.
-- Reward ladder campaigns are offered by their challenge, the others by themselves. A campaign without a card, or a
-- ladder without a challenge, is not known; in the reference it stopped the whole run.
with
    page as (
        select
            users.cp_id as cp_id,
            users.account_id as account_id,
            users.webengage_user_id as webengage_user_id,
            arrayConcat(
                arrayMap(
                    (campaign_id, place) -> ('challenge', campaign_id, place),
                    users.reward_ladder_campaign_ids,
                    arrayEnumerate(users.reward_ladder_campaign_ids)
                ),
                arrayMap(
                    (campaign_id, place) -> ('collab', campaign_id, place),
                    users.non_reward_ladder_campaign_ids,
                    arrayEnumerate(users.non_reward_ladder_campaign_ids)
                )
            ) as offers
        from campaign_replica.user_eligible_campaigns as users
        where users.cp_id > %(after)s
        order by users.cp_id
        limit 1 by users.cp_id
        limit %(page_size)s
    ),
    offered as (
        select cp_id, account_id, webengage_user_id, offer.1 as kind, offer.2 as campaign_id, offer.3 as place
        from page
        left array join offers as offer
    ),
    cards as (
        select *
        from campaign_replica.collab_challenge_slot_combined_data
        where campaign_id in (select campaign_id from offered)
        order by campaign_id, challenge_id
        limit 1 by campaign_id
    )
select
    offered.cp_id as cp_id,
    offered.account_id as account_id,
    offered.webengage_user_id as webengage_user_id,
    offered.kind as kind,
    offered.place as place,
    ifNull(cards.campaign_id, 0) > 0 and (offered.kind = 'collab' or ifNull(cards.challenge_id, 0) > 0) as known,
    cards.campaign_id as campaign_id,
    cards.campaign_name as campaign_name,
    cards.campaign_description as campaign_description,
    cards.campaign_tentative_payout_text as payout_text,
    cards.campaign_image as campaign_image,
    cards.campaign_start_time as start_time,
    cards.campaign_end_time as end_time,
    ifNull(cards.challenge_end_time, cards.campaign_end_time) as challenge_end_time,
    cards.campaign_available_slots_count as slots_left,
    cards.campaign_crm_invitation_link as campaign_link,
    cards.challenge_id as challenge_id,
    cards.challenge_name as challenge_name,
    cards.challenge_image as challenge_image,
    cards.challenge_crm_invitation_link as challenge_link
from offered
left join cards on cards.campaign_id = offered.campaign_id
order by cp_id, kind, place
