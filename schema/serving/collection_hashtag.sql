-- The hundred most used hashtags of each collection.
-- Generated: python -m stir.serving ddl collection_hashtag. The definition is plugins/stir/serving/targets/collection_hashtag.py.

create table if not exists collection_hashtag (
    id bigserial not null,
    collection_id text not null,
    collection_share_id text not null,
    collection_type text not null,
    hashtag_name text not null,
    tagged_count bigint,
    ugc_tagged_count bigint,
    constraint collection_hashtag_pkey primary key (id)
);

create unique index if not exists collection_hashtag_key
    on collection_hashtag (collection_id, collection_type, hashtag_name);

create index if not exists collection_hashtag_by_share
    on collection_hashtag (collection_share_id, tagged_count);
