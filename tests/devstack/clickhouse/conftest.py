"""The local ClickHouse server as a process of its own, with an S3 server beside it, and one database per test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import clickhouse_connect
import clickhouse_driver
import pytest
from clickhouse_connect.driver.client import Client as HttpClient
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from devstack.clickhouse import process
from devstack.clickhouse.config import NamedCollection

BUCKET = "stir-exports"
ACCESS_KEY = "EXPORTKEY"
SECRET_KEY = "export-secret-value"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3(s3_endpoint: str):
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory, s3_endpoint: str) -> Iterator[process.ServerProcess]:
    collection = NamedCollection(
        name="stir_exports",
        url=f"{s3_endpoint}/{BUCKET}/",
        access_key_id=ACCESS_KEY,
        secret_access_key=SecretStr(SECRET_KEY),
    )
    directory: Path = tmp_path_factory.mktemp("clickhouse")
    with process.start(directory, named_collections=[collection], max_server_memory_bytes=1_200_000_000) as server:
        yield server


def connect_http(server: process.ServerProcess, **options) -> HttpClient:
    return clickhouse_connect.get_client(
        host=server.host, port=server.http_port, username=server.user, password=server.password, **options
    )


def connect_native(server: process.ServerProcess, **options) -> clickhouse_driver.Client:
    return clickhouse_driver.Client(
        host=server.host, port=server.native_port, user=server.user, password=server.password, **options
    )


@pytest.fixture(scope="session")
def open_http():
    """Function (server, **options) -> a clickhouse-connect client."""
    return connect_http


@pytest.fixture(scope="session")
def open_native():
    """Function (server, **options) -> a clickhouse-driver client."""
    return connect_native


@pytest.fixture
def database(clickhouse_server: process.ServerProcess) -> Iterator[str]:
    """The name of an empty database, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:10]}"
    client = connect_http(clickhouse_server)
    client.command(f"CREATE DATABASE {name}")
    yield name
    client.command(f"DROP DATABASE {name}")
    client.close()


@pytest.fixture
def http(clickhouse_server: process.ServerProcess, database: str) -> Iterator[HttpClient]:
    """clickhouse-connect in the test's database."""
    client = connect_http(clickhouse_server, database=database)
    yield client
    client.close()


@pytest.fixture
def native(clickhouse_server: process.ServerProcess, database: str) -> Iterator[clickhouse_driver.Client]:
    """clickhouse-driver in the test's database."""
    client = connect_native(clickhouse_server, database=database)
    yield client
    client.disconnect()
