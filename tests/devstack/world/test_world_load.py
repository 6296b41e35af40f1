"""The world on real servers: everything arrives once, a second load does nothing, a broken one is redone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing

import pika
import psycopg2
import pytest
from clickhouse_connect.driver.client import Client

from devstack.beat import broker
from devstack.environment import environment
from devstack.services import ClickHouseService, PostgresService, RabbitmqService
from devstack.settings import REPOSITORY
from devstack.world import marker
from event_sinker.events import EVENT_TYPES
from schema.connections import clickhouse_address, connect_clickhouse, serving_dsn

pytestmark = pytest.mark.integration
QUEUES = tuple(event.queue for event in EVENT_TYPES.values())
WORLD = ("load", "--size", "small", "--seed", "7", "--as-of", "2026-01-20T12:00")


@pytest.fixture(scope="module")
def variables(
    clickhouse_service: ClickHouseService, postgres_service: PostgresService, rabbitmq_service: RabbitmqService
) -> dict[str, str]:
    found = os.environ | environment(clickhouse_service.settings, clickhouse_service.secrets)
    run(found, "schema", "apply", "--foreign-tables")
    return found


@pytest.fixture(scope="module")
def clickhouse(variables: dict[str, str]) -> Iterator[Client]:
    client = connect_clickhouse(clickhouse_address(variables))
    yield client
    client.close()


def run(variables: dict[str, str], module: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=variables,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def waiting(variables: dict[str, str], queues: Sequence[str] = QUEUES) -> int:
    with closing(pika.BlockingConnection(broker.parameters(variables))) as connection:
        channel = connection.channel()
        return sum(channel.queue_declare(queue, passive=True).method.message_count for queue in queues)


def purge(variables: dict[str, str]) -> None:
    broker.declare_queues(broker.parameters(variables))
    with closing(pika.BlockingConnection(broker.parameters(variables))) as connection:
        for queue in QUEUES:
            connection.channel().queue_purge(queue)


def test_everything_arrives_and_a_second_load_changes_nothing(variables: dict[str, str], clickhouse: Client) -> None:
    purge(variables)
    loaded = run(variables, "devstack.world", *WORLD, "--force").stdout.splitlines()[-1]
    noted = marker.read(clickhouse)
    assert noted is not None
    assert noted.state == marker.COMPLETE
    assert f"{noted.events:,} events" in loaded
    assert waiting(variables) == noted.events > 5_000
    assert clickhouse.command("SELECT count() FROM coffee_replica.view_instagram_account_lite") == 300
    assert clickhouse.command("SELECT uniqExact(profile_id) FROM beat_replica.instagram_account") == 300 - 3 + 3
    for name in ("production", "staging"):
        with closing(psycopg2.connect(serving_dsn(name, variables))) as connection, connection.cursor() as cursor:
            cursor.execute("select count(*), count(followers), count(distinct ig_id) from instagram_account")
            assert cursor.fetchone() == (300, 295, 300)
            cursor.execute("select jsonb_typeof(audience_age) from instagram_account where audience_age is not null")
            assert {row[0] for row in cursor.fetchall()} == {"object"}
    again = run(variables, "devstack.world", *WORLD).stdout
    assert "is loaded already" in again
    assert waiting(variables) == noted.events
    assert "is loaded already" in run(variables, "devstack.world", *WORLD[:5]).stdout  # whatever its moment was


def test_awkward_texts_survive_both_ways(variables: dict[str, str], clickhouse: Client) -> None:
    run(variables, "devstack.world", *WORLD)
    names = dict(clickhouse.query("SELECT profile_id, full_name FROM beat_replica.instagram_account").result_rows)
    with closing(psycopg2.connect(serving_dsn("production", variables))) as connection, connection.cursor() as cursor:
        cursor.execute("select ig_id, name from instagram_account where name is not null")
        rows = cursor.fetchall()
    assert any("\\" in name or '"' in name for _, name in rows)
    assert all(names[identity] == name for identity, name in rows)


def test_a_half_done_load_is_recognised_and_redone(variables: dict[str, str], clickhouse: Client) -> None:
    run(variables, "devstack.world", *WORLD)
    clickhouse.command(
        f"INSERT INTO {marker.DATABASE}.load SELECT now64(6), size, seed, as_of, 'loading', 0"
        f" FROM {marker.DATABASE}.load ORDER BY noted_at DESC LIMIT 1"
    )
    clickhouse.command("TRUNCATE TABLE beat_replica.instagram_post_simple")
    redone = run(variables, "devstack.world", *WORLD[:5], "--no-events").stdout
    assert "did not finish" in redone
    noted = marker.read(clickhouse)
    assert noted is not None
    assert (noted.state, f"{noted.as_of:%Y-%m-%d %H:%M}") == (marker.COMPLETE, "2026-01-20 12:00")
    assert clickhouse.command("SELECT count() FROM beat_replica.instagram_post_simple") > 4_000


def test_a_pulse_changes_counters_and_tells_of_it(variables: dict[str, str], clickhouse: Client) -> None:
    run(variables, "devstack.world", *WORLD)
    purge(variables)
    before = dict(clickhouse.query("SELECT id, followers FROM beat_replica.instagram_account").result_rows)
    line = run(variables, "devstack.world", "pulse", "--accounts", "40").stdout.splitlines()[-1]
    after = dict(clickhouse.query("SELECT id, followers FROM beat_replica.instagram_account").result_rows)
    assert len([key for key, value in before.items() if after[key] != value]) == 40
    assert waiting(variables) == int(line.split()[0].replace(",", "")) >= 48
    for queue in ("profile_relationship_log_events_q", "yt_activity_log_events_q", "launch_refer_event_q"):
        assert waiting(variables, [queue]) > 0, queue
    assert "40 profiles, 8 channels" in line


def test_bad_use_is_explained(variables: dict[str, str]) -> None:
    assert "is in the future" in run(variables, "devstack.world", "load", "--as-of", "2999-01-01", code=2).stderr
    assert "positive number" in run(variables, "devstack.world", "pulse", "--accounts", "0", code=2).stderr
    away = variables | {"SINKER_RABBITMQ_PORT": "9"}
    failed = run(away, "devstack.world", "pulse", code=1).stderr
    assert failed.startswith("world: RabbitMQ at 127.0.0.1:9 cannot be used")
    assert "Traceback" not in failed


def test_a_foreign_table_is_never_emptied(variables: dict[str, str], clickhouse: Client) -> None:
    clickhouse.command("CREATE VIEW ds.somebodys_view AS SELECT 1 AS one")
    try:
        refused = run(variables, "devstack.world", *WORLD, "--force", code=1).stderr
        assert "ds.somebodys_view (View) is not a plain table" in refused
    finally:
        clickhouse.command("DROP VIEW ds.somebodys_view")
