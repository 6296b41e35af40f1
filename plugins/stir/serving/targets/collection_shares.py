"""The link under which a collection is shared, for the four tables about collections.

A post collection and a profile list may have the same number, so each is matched by its own type.
"""

from __future__ import annotations

from stir.serving.declaration import Enrichment

SHARE_IDS = (
    Enrichment(
        table="profile_collection",
        key="id::text",
        on="collection_id",
        when="staged.collection_type = 'PROFILE'",
        columns={"collection_share_id": "share_id"},
    ),
    Enrichment(
        table="post_collection",
        key="id",
        on="collection_id",
        when="staged.collection_type = 'POST'",
        columns={"collection_share_id": "share_id"},
    ),
)
IS_SHARED = "coalesce(profile_collection.share_id, post_collection.share_id) is not null"
"""A collection that the product does not know, or no longer does, is not published: its page is gone."""
