"""How new a mart about profiles is: the newest reading of a profile that was there when it was built."""

from __future__ import annotations

NEWEST_READING = (
    # What the mart was built from, not what has arrived since: a dead dbt_core must show as an old newest event.
    "select max(event_timestamp) from dbt.stg_beat_profile_log "
    "where insert_timestamp <= {built_at} and event_timestamp <= {built_at}"
)
