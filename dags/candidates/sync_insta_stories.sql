-- Instagram accounts that gave access to their own data. Column: handle.
select distinct ifNull(handle, '') as handle from dbt.stg_beat_credential where source = 'graphapi' and enabled = 1
