"""What the publishing path reads from Airflow Variables, at run time."""

from __future__ import annotations

from dataclasses import dataclass

from stir.platform_variables import PlatformVariable
from stir.serving.export import StagingFormat

BUCKET = PlatformVariable(
    "serving_export_bucket", "stir-exports", "bucket behind the ClickHouse collection stir_exports"
)
PREFIX = PlatformVariable("serving_export_prefix", "data-pipeline", "first part of the key of every export")
FETCH_DIRECTORY = PlatformVariable(
    "serving_fetch_directory",
    "/var/lib/stir/exports",
    "folder on the database host for fetched exports, readable by the PostgreSQL server",
)
STAGING_FORMAT = PlatformVariable(
    "serving_staging_format", StagingFormat.TAB_SEPARATED.value, "format of exports: TabSeparated or JSONEachRow"
)

BACKUP_DAYS = PlatformVariable(
    "serving_backup_days", "14", "days after which the replaced generation of a serving table is dropped"
)
LOAD_SESSIONS = PlatformVariable(
    "serving_load_sessions", "2", "database sessions that load one table side by side, 1 to 16"
)
MOST_SESSIONS = 16

SERVING_VARIABLES = (BUCKET, PREFIX, FETCH_DIRECTORY, STAGING_FORMAT, BACKUP_DAYS, LOAD_SESSIONS)


@dataclass(frozen=True)
class ServingSettings:
    """Where exports go, where they are fetched to, and how they are loaded."""

    bucket: str
    prefix: str
    fetch_directory: str
    staging_format: StagingFormat
    load_sessions: int

    @classmethod
    def from_variables(cls) -> ServingSettings:
        """Current values. Raises ValueError naming the variable that holds something else than it may."""
        chosen = STAGING_FORMAT.text()
        if chosen not in {each.value for each in StagingFormat}:
            raise ValueError(
                f"Airflow Variable {STAGING_FORMAT.name!r} holds {chosen!r}; expected one of "
                f"{', '.join(each.value for each in StagingFormat)}"
            )
        sessions = LOAD_SESSIONS.number()
        if sessions not in range(1, MOST_SESSIONS + 1):
            raise ValueError(
                f"Airflow Variable {LOAD_SESSIONS.name!r} holds {LOAD_SESSIONS.text()!r}; expected a whole number from "
                f"1 to {MOST_SESSIONS}"
            )
        return cls(
            bucket=BUCKET.text(),
            prefix=PREFIX.text(),
            fetch_directory=FETCH_DIRECTORY.text().rstrip("/"),
            staging_format=StagingFormat(chosen),
            load_sessions=int(sessions),
        )
