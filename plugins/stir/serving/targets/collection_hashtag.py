"""`collection_hashtag`: the hundred most used hashtags of each collection, from `mart_collection_post`.

Differences from the reference: #Food and #food are one tag, as in the summary; equally often used tags go by the
alphabet; the type of the collection is the mart's, so one number never stands for two collections; rows of a collection
that the product does not know are left out instead of stopping the load. `ugc_tagged_count` equals `tagged_count`:
nothing tells the two apart.
"""

from __future__ import annotations

from stir.serving.declaration import SERIAL_ID, Column, Index, Target, enriched
from stir.serving.targets.collection_shares import IS_SHARED, SHARE_IDS

COLLECTION_HASHTAG = Target(
    name="collection_hashtag",
    mart="dbt.mart_collection_post",
    description="The hundred most used hashtags of each collection.",
    # Longer than a caption's hundred characters is no tag, and no key that PostgreSQL could index.
    rows="""
    select
        collection_type,
        collection_id,
        lowerUTF8(toValidUTF8(arrayJoin(hashtags))) as hashtag,
        count() as tagged_count
    from {mart}
    group by collection_type, collection_id, hashtag
    having hashtag != '' and lengthUTF8(hashtag) <= 100
    order by tagged_count desc, hashtag
    limit 100 by collection_type, collection_id
""",
    reads={"hashtags": "Array(String)"},
    columns=(
        SERIAL_ID,
        Column("collection_id", "text", "String", required=True),
        enriched("collection_share_id", "text", required=True),
        Column("collection_type", "text", "String", required=True),
        Column("hashtag_name", "text", "String", of="hashtag", derived=True, required=True),
        Column("tagged_count", "bigint", "UInt64", derived=True),
        Column("ugc_tagged_count", "bigint", "UInt64", of="tagged_count", derived=True),
    ),
    key=("collection_type", "collection_id", "hashtag_name"),
    indexes=(
        Index("collection_hashtag_pkey", ("id",), unique=True, primary=True),
        Index("collection_hashtag_key", ("collection_id", "collection_type", "hashtag_name"), unique=True),
        Index("collection_hashtag_by_share", ("collection_share_id", "tagged_count")),
    ),
    newest_event="select max(updated_at) from {mart}_ts where updated_at <= {built_at}",
    enrichments=SHARE_IDS,
    keep=IS_SHARED,
)
