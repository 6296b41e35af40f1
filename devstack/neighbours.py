"""Queues of services that are not part of this platform, but receive its messages.

In production those services declare them. In the local stack nobody does, and a message without a queue is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import pika


@dataclass(frozen=True)
class NeighbourQueue:
    """A queue of another service and the key under which this platform's messages reach it."""

    exchange: str
    routing_key: str
    queue: str


NEIGHBOURS = (
    NeighbourQueue("campaign.dx", "campaign.JOURNEY_MIGRATION_FOR_UCA_RK", "campaign.JOURNEY_MIGRATION_FOR_UCA_Q"),
    NeighbourQueue(
        "campaign.dx",
        "campaign.SYNC_POST_CREATION_FOR_CP_WITH_IDENTITY_RK",
        "campaign.SYNC_POST_CREATION_FOR_CP_WITH_IDENTITY_Q",
    ),
    NeighbourQueue("campaign.dx", "campaign.SYNC_POST_DATA_WITH_SAAS_RK", "campaign.SYNC_POST_DATA_WITH_SAAS_Q"),
    NeighbourQueue(
        "campaign.dx",
        "campaign.HANDLE_SUBMISSION_FOR_REFERRAL_CAMPAIGN_SU_RK",
        "campaign.HANDLE_SUBMISSION_FOR_REFERRAL_CAMPAIGN_SU_Q",
    ),
    NeighbourQueue(
        "campaign.dx",
        "campaign.SYNC_UCA_WITH_SAAS_AS_PROFILE_ITEM_RK",
        "campaign.SYNC_UCA_WITH_SAAS_AS_PROFILE_ITEM_Q",
    ),
    NeighbourQueue(
        "campaign.dx",
        "campaign.CREATE_PAYOUT_FOR_SU_IF_ALREADY_NOT_EXIST_RK",
        "campaign.CREATE_PAYOUT_FOR_SU_IF_ALREADY_NOT_EXIST_Q",
    ),
    NeighbourQueue("campaign.dx", "campaign.handle_verification", "campaign.handle_verification_q"),
)


def declare(parameters: pika.ConnectionParameters) -> None:
    """Declare every neighbour's exchange, queue and binding; repeating it changes nothing."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for neighbour in NEIGHBOURS:
            channel.exchange_declare(neighbour.exchange, "direct", durable=True)
            channel.queue_declare(neighbour.queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(neighbour.queue, neighbour.exchange, neighbour.routing_key)
