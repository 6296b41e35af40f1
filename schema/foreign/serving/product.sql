-- Tables of the product's own service (coffee) from which the loads enrich what they publish: account ids, names,
-- pictures and audience. The product fills them; the local stack fills them with its synthetic world.

create table if not exists instagram_account (
    id bigint primary key,
    ig_id text unique,
    handle text,
    name text,
    thumbnail text,
    followers bigint,
    audience_gender jsonb,
    audience_age jsonb,
    search_phrase text
);

create index if not exists instagram_account_handle_idx on instagram_account (handle);

create table if not exists youtube_account (
    id bigint primary key,
    channel_id text unique,
    username text,
    title text,
    thumbnail text,
    followers bigint,
    audience_gender jsonb,
    audience_age jsonb,
    search_phrase text
);

-- Lists of profiles and of posts; the loads copy share_id by id.
create table if not exists profile_collection (
    id bigint primary key,
    share_id text
);

create table if not exists post_collection (
    id text primary key,
    share_id text
);

-- Posts of a collection: what they cost and whether the report shows them.
create table if not exists post_collection_item (
    id bigint primary key,
    post_collection_id text,
    short_code text,
    cost bigint,
    show_in_report boolean,
    posted_by_cp_id bigint,
    retrieve_data boolean
);

create index if not exists post_collection_item_post_idx on post_collection_item (post_collection_id, short_code);
