-- The hundred most used words of each collection's captions.
-- Generated: python -m stir.serving ddl collection_keyword. The definition is plugins/stir/serving/targets/collection_keyword.py.

create table if not exists collection_keyword (
    id bigserial not null,
    collection_id text not null,
    collection_share_id text not null,
    collection_type text not null,
    keyword_name text not null,
    tagged_count bigint,
    constraint collection_keyword_pkey primary key (id)
);

create unique index if not exists collection_keyword_key
    on collection_keyword (collection_id, collection_type, keyword_name);

create index if not exists collection_keyword_by_share
    on collection_keyword (collection_share_id, tagged_count);
