"""Publishing marts to PostgreSQL: export to S3, fetch over SSH, COPY, checks, swap.

`declaration` says what a target is, `targets/` holds one declaration per target; each other module is one step of the
path, in the order export, manifest, fetch, load, guards, indexes, swap, ledger, leftovers. `generations` keeps what was
replaced; `rollback`, `verify` and `status` are for people. `publication` joins a target with an environment, `sync_dag`
turns that into tasks.
"""
