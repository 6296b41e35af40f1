"""A load of the serving database that stands still in its middle, so that a test can break something meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psycopg2
from running_platform import RunningPlatform, wait_until

from devstack.settings import SERVING_DATABASE

LOCK = 20_260_101
HOLD = f"""
create function hold_by_test() returns event_trigger language plpgsql as $$
begin perform pg_advisory_xact_lock_shared({LOCK}); end $$;
create event trigger hold_by_test on ddl_command_start when tag in ('CREATE TABLE') execute function hold_by_test();
"""
RELEASE = "drop event trigger if exists hold_by_test; drop function if exists hold_by_test"


class HeldLoad:
    """Every CREATE TABLE in the serving database waits, the load's first among them, until `release`."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        self.connection = platform.superuser(SERVING_DATABASE)

    def hold(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(f"select pg_advisory_lock({LOCK})")
            cursor.execute(HOLD)

    def wait_until_it_stands_still(self) -> None:
        """Return when a session waits in the middle of its transaction."""

        def waits() -> bool:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "select count(*) from pg_locks where locktype = 'advisory' and not granted and objid = %s", [LOCK]
                )
                return cursor.fetchone()[0] > 0

        wait_until(waits, 90, "the load waits")

    def release(self) -> None:
        """Let everything go on; also when the server was killed meanwhile."""
        with suppress(psycopg2.Error), self.connection.cursor() as cursor:
            cursor.execute(RELEASE)
            self.connection.close()
            return
        with closing(self.platform.superuser(SERVING_DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(RELEASE)


@contextmanager
def held_load(platform: RunningPlatform) -> Iterator[HeldLoad]:
    """From here on a load stands still; at the end of the block nothing is held any more."""
    held = HeldLoad(platform)
    held.hold()
    try:
        yield held
    finally:
        held.release()
