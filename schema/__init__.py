"""DDL of the ClickHouse source databases and of the PostgreSQL serving tables, and the one command that applies it.

`clickhouse/<database>.sql` and `serving/*.sql` are what the platform writes; `python -m schema apply` creates what is
missing. `foreign/` is what others fill and the platform reads, created with `--foreign-tables` only.
The event tables (`_e`, `_stage_e`) belong to the event sinker and are not here.
"""
