-- One row per run that a publishing step refused: the live table stayed as it was.

create table if not exists serving_refusals (
    id bigserial primary key,
    target text not null,
    environment text not null,
    dag_id text not null,
    run_id text not null,
    step text not null,
    reason text not null,
    refused_at timestamptz not null default clock_timestamp()
);

create index if not exists serving_refusals_newest on serving_refusals (target, refused_at desc);
