"""`collection_keyword`: the hundred most used words of each collection's captions, from `mart_collection_post`.

Differences from the reference: words are counted in lower case, as they were always compared with the stop words;
equally often used ones go by the alphabet; the type of the collection is the mart's; rows of a collection that the
product does not know are left out instead of stopping the load.
"""

# ruff: noqa: S608 -- the only names in the query are this module's own

from __future__ import annotations

from stir.serving.declaration import SERIAL_ID, Column, Index, Target, enriched
from stir.serving.targets.collection_shares import IS_SHARED, SHARE_IDS

STOP_WORDS = (
    "about", "also", "from", "have", "https", "just", "like", "more", "some", "stop", "that", "their", "these", "they",
    "this", "used", "using", "what", "which", "will", "with", "your",
)  # fmt: skip
"""English words that say nothing about a post; the mart has words of four letters and more only."""

COLLECTION_KEYWORD = Target(
    name="collection_keyword",
    mart="dbt.mart_collection_post",
    description="The hundred most used words of each collection's captions.",
    # A word of more than a hundred characters is an address, and no key that PostgreSQL could index.
    rows=f"""
    select
        collection_type,
        collection_id,
        lowerUTF8(toValidUTF8(arrayJoin(keywords))) as keyword,
        count() as tagged_count
    from {{mart}}
    group by collection_type, collection_id, keyword
    having keyword != '' and lengthUTF8(keyword) <= 100 and keyword not in {STOP_WORDS}
    order by tagged_count desc, keyword
    limit 100 by collection_type, collection_id
""",
    reads={"keywords": "Array(String)"},
    columns=(
        SERIAL_ID,
        Column("collection_id", "text", "String", required=True),
        enriched("collection_share_id", "text", required=True),
        Column("collection_type", "text", "String", required=True),
        Column("keyword_name", "text", "String", of="keyword", derived=True, required=True),
        Column("tagged_count", "bigint", "UInt64", derived=True),
    ),
    key=("collection_type", "collection_id", "keyword_name"),
    indexes=(
        Index("collection_keyword_pkey", ("id",), unique=True, primary=True),
        Index("collection_keyword_key", ("collection_id", "collection_type", "keyword_name"), unique=True),
        Index("collection_keyword_by_share", ("collection_share_id", "tagged_count")),
    ),
    newest_event="select max(updated_at) from {mart}_ts where updated_at <= {built_at}",
    enrichments=SHARE_IDS,
    keep=IS_SHARED,
)
