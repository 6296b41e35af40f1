"""`python -m schema apply` against real servers: creates, repeats, completes, and refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from clickhouse_connect.driver.client import Client

from devstack.environment import environment
from devstack.services import ClickHouseService, PostgresService
from devstack.settings import REPOSITORY
from schema.connections import clickhouse_address, connect_clickhouse, serving_dsn

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def variables(clickhouse_service: ClickHouseService, postgres_service: PostgresService) -> dict[str, str]:
    return os.environ | environment(clickhouse_service.settings, clickhouse_service.secrets)


@pytest.fixture(scope="module")
def clickhouse(variables: dict[str, str]) -> Iterator[Client]:
    client = connect_clickhouse(clickhouse_address(variables))
    yield client
    client.close()


def schema(variables: dict[str, str], *arguments: str, foreign_tables: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "schema", "apply", *(["--foreign-tables"] if foreign_tables else []), *arguments],
        env=variables,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_creates_everything_once_and_then_has_nothing_to_do(variables: dict[str, str], clickhouse: Client) -> None:
    first = schema(variables)
    assert first.returncode == 0, first.stderr
    again = schema(variables)
    assert again.returncode == 0, again.stderr
    assert "created" not in again.stdout
    assert schema(variables, "--check").returncode == 0
    kinds = dict(
        clickhouse.query(
            "SELECT name, type FROM system.columns WHERE database = 'vidooly'"
            " AND table = 'channels_monthly_stats_20230219'"
        ).result_rows
    )
    assert kinds["lifetime_views"] == "Nullable(String)"  # text in this dump, a number in the younger one
    leftovers = clickhouse.query("SELECT name FROM system.databases WHERE name LIKE 'schema_check%'").result_rows
    assert leftovers == []


def test_a_lost_column_is_found_by_check_and_added_by_apply(variables: dict[str, str], clickhouse: Client) -> None:
    schema(variables)
    clickhouse.command("ALTER TABLE ds.country_codes DROP COLUMN code")
    with (
        closing(psycopg2.connect(serving_dsn("staging", variables))) as connection,
        connection,
        connection.cursor() as c,
    ):
        c.execute("alter table youtube_account drop column title")
    check = schema(variables, "--check")
    assert check.returncode == 2
    assert "ds.country_codes.code is missing, expected String" in check.stdout
    assert "youtube_account.title is missing, expected text" in check.stdout
    assert schema(variables).returncode == 0
    assert schema(variables, "--check").returncode == 0


def test_another_type_is_refused_and_the_data_stays(variables: dict[str, str], clickhouse: Client) -> None:
    schema(variables)
    clickhouse.command("ALTER TABLE ds.country_codes MODIFY COLUMN code Nullable(String)")
    refused = schema(variables, "--clickhouse")
    assert refused.returncode == 1
    assert "ds.country_codes.code is Nullable(String), expected String" in refused.stderr
    clickhouse.command("DROP TABLE ds.country_codes SYNC")
    assert schema(variables, "--clickhouse").returncode == 0


def test_tables_of_others_are_looked_at_and_left_alone(variables: dict[str, str], clickhouse: Client) -> None:
    schema(variables)
    clickhouse.command("ALTER TABLE ds.country_codes MODIFY COLUMN code Nullable(String)")
    clickhouse.command("DROP TABLE beat_replica.post_log SYNC")
    clickhouse.command("DROP TABLE vidooly.youtube_channels SYNC")  # the platform's own, beside bought dumps
    with (
        closing(psycopg2.connect(serving_dsn("staging", variables))) as connection,
        connection,
        connection.cursor() as c,
    ):
        c.execute("alter table youtube_account drop column title")
        c.execute("drop table leaderboard")
    done = schema(variables, foreign_tables=False)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "clickhouse ds (filled by others): 9 statements, 1 differences" in lines
    assert "ds.country_codes.code is Nullable(String), expected String" in lines
    assert "beat_replica.post_log does not exist" in lines
    assert "created vidooly.youtube_channels" in lines
    assert "youtube_account.title is missing, expected text" in lines
    assert "created leaderboard" in lines
    left = schema(variables, "--check", foreign_tables=False)
    assert left.returncode == 2
    assert [line.strip() for line in left.stdout.splitlines() if line.startswith("  ")] == [
        "beat_replica.post_log does not exist",
        "ds.country_codes.code is Nullable(String), expected String",
        "youtube_account.title is missing, expected text",
    ]
    clickhouse.command("DROP TABLE ds.country_codes SYNC")
    assert schema(variables).returncode == 0
    assert schema(variables, "--check").returncode == 0


def test_an_absent_server_is_one_sentence(variables: dict[str, str]) -> None:
    away = variables | {"DBT_CLICKHOUSE_HTTP_PORT": "9"}
    failed = schema(away, "--clickhouse")
    assert failed.returncode == 1
    assert failed.stderr.startswith("schema: ClickHouse at stir@127.0.0.1:9 cannot be used")
    assert "Traceback" not in failed.stderr
    assert variables["DBT_ENV_SECRET_CLICKHOUSE_PASSWORD"] not in failed.stderr
