"""Each server of the stack with its real client: used, killed with SIGKILL, started again, data intact."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator

import httpx
import paramiko
import pika
import psutil
import psycopg2
import pytest
from botocore.exceptions import ClientError

from devstack.errors import StackError
from devstack.home import fetch_directory
from devstack.services import (
    ClickHouseService,
    PartnersService,
    PostgresService,
    RabbitmqService,
    S3Service,
    Service,
    SlackService,
    SshdService,
)
from devstack.settings import EXPORT_BUCKET, RABBITMQ_USER, StackSettings
from devstack.ssh_keys import client_key, ssh_user

pytestmark = pytest.mark.integration


def kill(service: Service) -> None:
    """SIGKILL to the server itself, as the kernel does when memory runs out; its children are left to themselves."""
    process = service.main.process()
    process.kill()
    process.wait(5)
    assert not service.running()


def restart(service: Service) -> None:
    assert service.start() is True
    service.wait_ready()


@pytest.mark.parametrize(
    "kind", [PostgresService, RabbitmqService, ClickHouseService, S3Service, SshdService, SlackService, PartnersService]
)
def test_start_is_idempotent_stop_leaves_nothing(
    kind: type[Service], own_settings: StackSettings, stack_processes: Callable[[], list[psutil.Process]]
) -> None:
    with kind(own_settings) as service:
        assert service.ready()
        pid = service.main.process().pid
        assert kind(own_settings).start() is False, "a second object sees the running server"
        assert service.main.process().pid == pid
        if kind is RabbitmqService:
            assert len(stack_processes()) > 1, "it has a name server beside it"
    assert not service.running()
    assert stack_processes() == []
    service.require_ports()  # raises if anything still listens


# PostgreSQL


@pytest.fixture(scope="module")
def postgres(module_settings: StackSettings) -> Iterator[PostgresService]:
    with PostgresService(module_settings) as service:
        yield service


def query(service: PostgresService, statement: str, database: str = "serving") -> list[tuple]:
    connection = service.connection(database)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_postgres_has_the_databases_the_user_and_full_durability(postgres: PostgresService) -> None:
    for database in ("serving", "serving_staging", "airflow"):
        owner = "SELECT current_user, pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        assert query(postgres, owner, database) == [("stir", "stir")]
    assert query(postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = 'stir'") == [(False,)]
    for setting, value in {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}.items():
        assert query(postgres, f"SHOW {setting}") == [(value,)]


def test_postgres_refuses_wrong_passwords_and_the_superuser_over_tcp(postgres: PostgresService) -> None:
    port = postgres.settings.port("postgres")
    for user in ("stir", "postgres"):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(host="127.0.0.1", port=port, user=user, password="guessed", dbname="serving")


def test_postgres_copies_from_a_fetched_file(postgres: PostgresService) -> None:
    export = fetch_directory(postgres.settings).resolve() / "export.csv"
    export.write_text("1,one\n2,two\n")
    export.chmod(0o640)
    query(postgres, "CREATE TABLE fetched (id int, name text)")
    query(postgres, f"COPY fetched FROM '{export}' WITH (FORMAT csv)")
    assert query(postgres, "SELECT count(*) FROM fetched") == [(2,)]


def test_postgres_keeps_committed_rows_over_kill_9_even_with_a_session_at_work(postgres: PostgresService) -> None:
    query(postgres, "CREATE TABLE kept (id int)")
    query(postgres, "INSERT INTO kept SELECT generate_series(1, 1000)")
    busy = postgres.connection()
    busy.cursor().execute("SELECT 1")
    kill(postgres)
    restart(postgres)
    assert query(postgres, "SELECT count(*) FROM kept") == [(1000,)]
    busy.close()


def test_postgres_starts_when_a_stranger_has_the_pid_of_its_pid_file(postgres: PostgresService) -> None:
    query(postgres, "CREATE TABLE kept_too (id int)")
    kill(postgres)
    pid_file = postgres.data / "postmaster.pid"
    stranger = psutil.Process().pid  # this test, which surely lives and is no PostgreSQL
    pid_file.write_text("\n".join([str(stranger), *pid_file.read_text().splitlines()[1:]]) + "\n")
    restart(postgres)
    assert query(postgres, "SELECT count(*) FROM kept_too") == [(0,)]


def test_postgres_password_is_not_in_its_log(postgres: PostgresService) -> None:
    assert postgres.secrets.postgres_password not in postgres.log.read_text()


# RabbitMQ


@pytest.fixture(scope="module")
def rabbitmq(module_settings: StackSettings) -> Iterator[RabbitmqService]:
    with RabbitmqService(module_settings) as service:
        yield service


def test_rabbitmq_keeps_confirmed_messages_over_kill_9_of_node_and_name_server(rabbitmq: RabbitmqService) -> None:
    with pika.BlockingConnection(rabbitmq.parameters()) as connection:
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        for number in range(20):
            channel.basic_publish("", "kept", str(number).encode(), pika.BasicProperties(delivery_mode=2))
    # RabbitMQ 3.10 writes the register of its quorum queues every 0.5 s: a queue that was declared less than that
    # before a SIGKILL has no leader ever after. Queues that live longer, as the platform's do, are not concerned.
    time.sleep(1.5)
    rabbitmq.name_server.process().kill()
    kill(rabbitmq)
    restart(rabbitmq)
    with pika.BlockingConnection(rabbitmq.parameters()) as connection:
        channel = connection.channel()
        deadline = time.monotonic() + 30
        while channel.queue_declare("kept", passive=True).method.message_count < 20 and time.monotonic() < deadline:
            time.sleep(0.2)
        bodies = [channel.basic_get("kept", auto_ack=True)[2] for _ in range(20)]
    assert bodies == [str(number).encode() for number in range(20)]


def test_rabbitmq_knows_no_guest(rabbitmq: RabbitmqService) -> None:
    users = f"{rabbitmq.management_url}/api/users"
    assert httpx.get(users, auth=("guest", "guest")).status_code == 401
    known = httpx.get(users, auth=(RABBITMQ_USER, rabbitmq.secrets.rabbitmq_password)).json()
    assert [user["name"] for user in known] == [RABBITMQ_USER]


# ClickHouse


def test_clickhouse_keeps_acknowledged_rows_over_kill_9(own_settings: StackSettings) -> None:
    with ClickHouseService(own_settings) as clickhouse:
        endpoint = clickhouse.endpoint
        login = {"X-ClickHouse-User": endpoint.user, "X-ClickHouse-Key": endpoint.password}

        def run(statement: str) -> str:
            reply = httpx.post(endpoint.url, content=statement, headers=login, timeout=30)
            assert reply.status_code == 200, reply.text
            return reply.text.strip()

        run("CREATE DATABASE kept")
        run("CREATE TABLE kept.rows (id UInt64) ENGINE = MergeTree ORDER BY id")
        run("INSERT INTO kept.rows SELECT number FROM numbers(1000)")
        kill(clickhouse)
        restart(clickhouse)
        assert run("SELECT count() FROM kept.rows") == "1000"
        wrong = httpx.get(endpoint.url, params={"query": "SELECT 1"}, headers={**login, "X-ClickHouse-Key": "guessed"})
        assert wrong.status_code in (401, 403)


# S3, sshd with the AWS CLI, Slack


def test_the_database_host_fetches_an_export_with_the_aws_cli(own_settings: StackSettings) -> None:
    with S3Service(own_settings) as s3, SshdService(own_settings) as sshd:
        s3.client().put_object(Bucket=EXPORT_BUCKET, Key="local/leaderboard/run.csv", Body=b"1,2\n")
        target = fetch_directory(own_settings).resolve() / "run.csv"
        fetched = sshd.run(f"aws s3 cp --only-show-errors s3://{EXPORT_BUCKET}/local/leaderboard/run.csv {target}")
        assert fetched.returncode == 0, fetched.stderr
        assert target.read_bytes() == b"1,2\n"
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert stat.S_IMODE((sshd.data / "aws_config").stat().st_mode) == 0o600
        kill(sshd)
        restart(sshd)
        assert sshd.run("true").returncode == 0
        kill(s3)
        restart(s3)
        with pytest.raises(ClientError, match="404"):
            s3.client().head_object(Bucket=EXPORT_BUCKET, Key="local/leaderboard/run.csv")


def test_sshd_takes_only_the_generated_key(own_settings: StackSettings) -> None:
    with SshdService(own_settings) as sshd:
        port = own_settings.port("ssh")
        for attempt in (
            {"password": "guessed"},
            {"pkey": paramiko.RSAKey.generate(2048)},
        ):
            client = paramiko.SSHClient()
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 -- this test is about the client's key
            with pytest.raises(paramiko.SSHException), client:
                client.connect("127.0.0.1", port, ssh_user(), look_for_keys=False, allow_agent=False, **attempt)
        assert stat.S_IMODE(client_key(own_settings).stat().st_mode) == 0o600
        assert stat.S_IMODE((sshd.data / "host_ed25519").stat().st_mode) == 0o600


def test_a_changed_host_key_is_refused(own_settings: StackSettings) -> None:
    with SshdService(own_settings) as sshd:
        known = sshd.data / "known_hosts"
        known.write_text(
            known.read_text().replace("AAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAC3NzaC1lZDI1NTE5AAAAIA", 1)[:-2] + "\n"
        )
        refused = sshd.run("true")
        assert refused.returncode == 255
        assert "Host key verification failed" in refused.stderr


def test_a_service_that_cannot_start_shows_the_end_of_its_log(own_settings: StackSettings) -> None:
    service = SshdService(own_settings)
    service.command = lambda: ["/usr/sbin/sshd", "-D", "-e", "-f", "/no/such/file"]  # type: ignore[method-assign]
    with pytest.raises(StackError, match=r"(?s)sshd ended while it started; .*sshd\.log.*/no/such/file"), service:
        pass
