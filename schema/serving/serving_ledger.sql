-- One row per generation that went live in a serving table: written in the transaction of the swap or rollback itself.

create table if not exists serving_ledger (
    id bigserial primary key,
    target text not null,
    environment text not null,
    action text not null check (action in ('publish', 'rollback')),
    dag_id text not null,
    run_id text not null,
    published_at timestamptz not null default clock_timestamp(),
    table_oid bigint not null,          -- the generation that went live; its table keeps this oid when it is renamed
    previous_oid bigint,                -- the generation that it replaced
    mart_built_at timestamptz,
    mart_build text,                    -- which build that was; null in rows that earlier versions wrote
    newest_event_at timestamptz,        -- newest event time inside
    rows bigint not null,
    bytes bigint,                       -- size of the exported object
    checksum text,
    object_key text,
    cleaned_values bigint,              -- values changed by the export's cleaning rules
    guards jsonb not null default '{}',
    seconds jsonb not null default '{}', -- per step
    hops jsonb                          -- rows and bytes on the way; null in rows that earlier versions wrote
);

-- A run that is cleared and run again publishes again, under the same run id.
create index if not exists serving_ledger_run on serving_ledger (target, dag_id, run_id);
create index if not exists serving_ledger_newest on serving_ledger (target, published_at desc);
