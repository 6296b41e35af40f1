"""Where the servers are: the same environment variables that dbt, Airflow and the loads read.

ClickHouse: `DBT_CLICKHOUSE_HOST`, `DBT_CLICKHOUSE_HTTP_PORT`, `DBT_CLICKHOUSE_USER`,
`DBT_ENV_SECRET_CLICKHOUSE_PASSWORD` and `DBT_CLICKHOUSE_SECURE`.
Serving databases: `STIR_SERVING_DSN` and `STIR_SERVING_STAGING_DSN` (libpq URLs), else the Airflow connections
`AIRFLOW_CONN_PROD_PG` and `AIRFLOW_CONN_STAGE_PG` (JSON or URI form).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from schema.statements import SchemaError

if TYPE_CHECKING:
    import psycopg2.extensions
    from clickhouse_connect.driver.client import Client

SERVING_VARIABLES = {
    "production": ("STIR_SERVING_DSN", "AIRFLOW_CONN_PROD_PG"),
    "staging": ("STIR_SERVING_STAGING_DSN", "AIRFLOW_CONN_STAGE_PG"),
}


@dataclass(frozen=True)
class ClickHouseAddress:
    host: str
    http_port: int
    user: str
    password: str
    secure: bool = False

    def __repr__(self) -> str:
        return f"{self.user}@{self.host}:{self.http_port}"

    __str__ = __repr__


def clickhouse_address(environment: Mapping[str, str] | None = None) -> ClickHouseAddress:
    """Address of ClickHouse from the environment; SchemaError naming the variable that is missing or wrong."""
    variables = os.environ if environment is None else environment
    host = variables.get("DBT_CLICKHOUSE_HOST", "")
    port = variables.get("DBT_CLICKHOUSE_HTTP_PORT", "")
    if not host or not port:
        missing = "DBT_CLICKHOUSE_HOST" if not host else "DBT_CLICKHOUSE_HTTP_PORT"
        raise SchemaError(f'{missing} is not set. For the local stack: eval "$(python -m devstack env)"')
    if not port.isdigit():
        raise SchemaError(f"DBT_CLICKHOUSE_HTTP_PORT must be a port number, not {port!r}")
    return ClickHouseAddress(
        host,
        int(port),
        variables.get("DBT_CLICKHOUSE_USER", "default"),
        variables.get("DBT_ENV_SECRET_CLICKHOUSE_PASSWORD", ""),
        variables.get("DBT_CLICKHOUSE_SECURE", "").lower() in ("true", "1"),
    )


def connect_clickhouse(address: ClickHouseAddress, database: str | None = None) -> Client:
    """Client of ClickHouse over HTTP; SchemaError when nothing answers there or the login is refused."""
    import logging

    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError

    # Without a handler the driver's own complaint would be printed beside the one sentence below.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    try:
        return clickhouse_connect.get_client(
            host=address.host,
            port=address.http_port,
            username=address.user,
            password=address.password,
            secure=address.secure,
            database=database,
            autogenerate_session_id=False,  # concurrent inserts over one client are allowed without a session
            connect_timeout=10,
            send_receive_timeout=600,
            query_limit=0,
        )
    except ClickHouseError as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise SchemaError(f"ClickHouse at {address} cannot be used: {reason}. Is it running (make up)?") from error


def serving_dsn(environment_name: str, environment: Mapping[str, str] | None = None) -> str:
    """libpq URL of the serving database of `production` or `staging`; SchemaError when neither variable is set."""
    variables = os.environ if environment is None else environment
    dsn_variable, connection_variable = SERVING_VARIABLES[environment_name]
    if variables.get(dsn_variable):
        return variables[dsn_variable]
    connection = variables.get(connection_variable, "")
    if not connection:
        raise SchemaError(
            f"neither {dsn_variable} nor {connection_variable} is set. "
            'For the local stack: eval "$(python -m devstack env)"'
        )
    if not connection.lstrip().startswith("{"):
        return connection.replace("postgres://", "postgresql://", 1)
    try:
        fields = json.loads(connection)
        return (
            f"postgresql://{quote(fields.get('login') or '', safe='')}:{quote(fields.get('password') or '', safe='')}"
            f"@{fields['host']}:{fields.get('port') or 5432}/{fields['schema']}"
        )
    except (ValueError, KeyError) as error:
        raise SchemaError(
            f"{connection_variable} must be an Airflow connection as JSON with host, port, login, password and schema "
            f"(the database): {type(error).__name__} {error}"
        ) from error


def connect_serving(dsn: str) -> psycopg2.extensions.connection:
    """Connection to a serving database, time zone UTC; SchemaError when it cannot be reached."""
    import psycopg2

    try:
        return psycopg2.connect(dsn, connect_timeout=10, options="-c timezone=UTC", application_name="stir-schema")
    except psycopg2.OperationalError as error:
        raise SchemaError(f"PostgreSQL cannot be used: {str(error).strip()}. Is it running (make up)?") from error
