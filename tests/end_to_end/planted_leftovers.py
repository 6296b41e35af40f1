"""What a crashed sync would have left behind: a working table and a fetched file, older than any run, and younger ones
that must stay.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from running_platform import RunningPlatform
from stir.serving.naming import PRODUCTION, RunNames, file_prefix, object_folder
from stir.serving.targets import TARGETS

from devstack.home import fetch_directory
from devstack.settings import EXPORT_BUCKET

PREFIX = "data-pipeline"


@dataclass(frozen=True)
class Planted:
    """Names of what is older than any run, and of what a run of this moment could own."""

    old_table: str
    young_table: str
    old_file: Path
    young_file: Path
    young_object: str

    def tables_left(self, platform: RunningPlatform) -> set[str]:
        """Which of the tables are there."""
        both = f"'{self.old_table}', '{self.young_table}'"
        return {name for (name,) in platform.serving(f"select tablename from pg_tables where tablename in ({both})")}

    def object_left(self, platform: RunningPlatform) -> bool:
        """Whether the object is there."""
        found = platform.services["s3"].client().list_objects_v2(Bucket=EXPORT_BUCKET, Prefix=self.young_object)
        return found["KeyCount"] == 1

    def remove(self, platform: RunningPlatform) -> None:
        """Take away what had to stay."""
        with closing(platform.postgres()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"drop table {self.young_table}")
        self.young_file.unlink()
        platform.services["s3"].client().delete_object(Bucket=EXPORT_BUCKET, Key=self.young_object)


def plant(platform: RunningPlatform) -> Planted:
    """Leave them in the production database, on its host and in the bucket, under names of a sync that does not run.

    The table is one that only a dbt tier publishes: the syncs of the others clean up after their predecessors too.
    """
    target = TARGETS["social_profile_core_metrics"]
    age = timedelta(seconds=target.limits.abandoned, hours=1)
    old = RunNames(target, PRODUCTION, "a_sync_that_is_no_more", "crashed")
    young = RunNames(target, PRODUCTION, "a_sync_that_is_no_more", "at work")
    with closing(platform.postgres()) as connection, connection, connection.cursor() as cursor:
        for names, created in ((old, datetime.now(UTC) - age), (young, datetime.now(UTC))):
            cursor.execute(f"create table {names.working_table} (id bigint)")
            cursor.execute(f"comment on table {names.working_table} is %s", (names.tag(created),))
    folder = fetch_directory(platform.settings)
    files = [folder / f"{file_prefix(target, PRODUCTION)}{names.digest}.tsv" for names in (old, young)]
    for file in files:
        file.write_text("1\n")
    longest = max(each.limits.abandoned for each in TARGETS.values())
    before = time.time() - longest - 3600
    os.utime(files[0], (before, before))
    key = f"{object_folder(PREFIX, target, PRODUCTION)}{young.digest}.tsv.zst"
    platform.services["s3"].client().put_object(Bucket=EXPORT_BUCKET, Key=key, Body=b"1")
    return Planted(old.working_table, young.working_table, files[0], files[1], key)
