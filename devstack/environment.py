"""The variables through which every program of the platform finds its servers, for the local stack.

The names are the platform's contract with any environment (docs/configuration.md); only the values are local.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, Field

from devstack.clickhouse_endpoint import clickhouse_endpoint
from devstack.home import fetch_directory
from devstack.settings import (
    AIRFLOW_DATABASE,
    AIRFLOW_USER,
    HOST,
    POSTGRES_USER,
    RABBITMQ_USER,
    RABBITMQ_VHOST,
    REPOSITORY,
    SERVING_DATABASE,
    SERVING_STAGING_DATABASE,
    Secrets,
    StackSettings,
    postgres_dsn,
)
from devstack.ssh_keys import client_key, host_key, ssh_user


class AirflowConnection(BaseModel):
    """One Airflow connection in its JSON form, as `AIRFLOW_CONN_<ID>` holds it."""

    conn_type: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = None
    schema_: str | None = Field(None, serialization_alias="schema")
    extra: dict[str, str | int | bool] | None = None

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)


def environment(settings: StackSettings, secrets: Secrets) -> dict[str, str]:
    """Every variable of the contract: for a developer's shell, and for each program that the stack starts."""
    return {
        **settings.variables(),
        **airflow_settings(settings, secrets),
        **{f"AIRFLOW_CONN_{name.upper()}": c.to_json() for name, c in airflow_connections(settings, secrets).items()},
        **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in airflow_variables(settings).items()},
        **sinker_settings(settings, secrets),
        **dbt_settings(settings, secrets),
        # The command looks for both in the current folder, and only then in the home directory.
        "DBT_PROJECT_DIR": str(REPOSITORY / "gcc_social"),
        "DBT_PROFILES_DIR": str(REPOSITORY / "gcc_social"),
    }


def airflow_connections(settings: StackSettings, secrets: Secrets) -> dict[str, AirflowConnection]:
    """Connections by id."""
    clickhouse = clickhouse_endpoint(settings, secrets)
    database_host = AirflowConnection(
        conn_type="ssh",
        host=HOST,
        port=settings.port("ssh"),
        login=ssh_user(),
        extra={
            "key_file": str(client_key(settings)),
            "host_key": host_key(settings),
            "no_host_key_check": False,
            "look_for_keys": False,
            "conn_timeout": 10,
        },
    )

    def postgres(database: str) -> AirflowConnection:
        return AirflowConnection(
            conn_type="postgres",
            host=HOST,
            port=settings.port("postgres"),
            login=POSTGRES_USER,
            password=secrets.postgres_password,
            schema_=database,
        )

    def partner(path: str) -> AirflowConnection:
        return AirflowConnection(conn_type="http", host=f"http://{HOST}:{settings.port('partners')}/{path}")

    return {
        "clickhouse_gcc": AirflowConnection(
            conn_type="clickhouse",
            host=clickhouse.host,
            port=clickhouse.native_port,
            login=clickhouse.user,
            password=clickhouse.password,
            extra={"secure": True} if clickhouse.secure else None,
        ),
        "prod_pg": postgres(SERVING_DATABASE),
        "stage_pg": postgres(SERVING_STAGING_DATABASE),
        "ssh_prod_pg": database_host,
        "ssh_stage_pg": database_host,
        "beat": AirflowConnection(conn_type="http", host=f"http://{HOST}:{settings.port('beat')}"),
        "rabbitmq_connection": AirflowConnection(
            conn_type="amqp",
            host=HOST,
            port=settings.port("rabbitmq"),
            login=RABBITMQ_USER,
            password=secrets.rabbitmq_password,
            schema_=RABBITMQ_VHOST,
        ),
        "slack_alerts": AirflowConnection(
            conn_type="slackwebhook",
            host=f"http://{HOST}:{settings.port('slack')}/services",
            password=secrets.slack_token,
        ),
        "vidooly_search": partner("search"),
        "crm_events": partner("crm"),
        "fs_default": AirflowConnection(conn_type="fs"),
    }


def airflow_variables(settings: StackSettings) -> dict[str, str]:
    """Airflow Variables that differ from their defaults in code."""
    return {
        "serving_fetch_directory": str(fetch_directory(settings).resolve()),
        "beat_requests_per_second": "100",  # the simulator has this machine to itself, the real Beat has other users
    }


def airflow_settings(settings: StackSettings, secrets: Secrets) -> dict[str, str]:
    """Airflow's own configuration, sized for one small machine and closed to other machines."""
    home = airflow_home(settings)
    port = settings.port("airflow")
    by_section = {
        "core": {
            "executor": "stir.warm_executor.WarmLocalExecutor",
            "parallelism": settings.airflow_parallelism,
            "dags_folder": REPOSITORY / "dags",
            "plugins_folder": REPOSITORY / "plugins",
            "load_examples": False,
            "dags_are_paused_at_creation": True,  # a new stack does nothing on its own; whoever triggers, unpauses
            "fernet_key": secrets.airflow_fernet_key,
            "default_timezone": "utc",
            "simple_auth_manager_users": f"{AIRFLOW_USER}:admin",
            "simple_auth_manager_passwords_file": home / "passwords.json",
            "execution_api_server_url": f"http://{HOST}:{port}/execution/",
            "min_serialized_dag_update_interval": 10,
            # Task processes are forked from the scheduler's workers with Airflow and libraries imported already.
            "execute_tasks_new_python_interpreter": False,
        },
        "database": {
            "sql_alchemy_conn": postgres_dsn(settings, secrets, AIRFLOW_DATABASE).replace(
                "postgresql://", "postgresql+psycopg2://", 1
            ),
            "sql_alchemy_pool_size": 5,
            "sql_alchemy_max_overflow": 5,
        },
        "api": {
            "host": HOST,
            "port": port,
            "workers": 1,
            "base_url": f"http://{HOST}:{port}",
            "secret_key": secrets.airflow_api_secret,
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": secrets.airflow_jwt_secret},
        "scheduler": {
            "scheduler_heartbeat_sec": 5,
            "job_heartbeat_sec": 5,
            # Tasks of a scheduler that was killed start again half a minute after the next `up`, not after five.
            "orphaned_tasks_check_interval": 15,
            "catchup_by_default": False,
        },
        "dag_processor": {
            "parsing_processes": 1,
            "refresh_interval": 30,  # a new file is seen after half a minute
            # And a known one is read again once a minute. Less often, and a DAG that is unpaused starts a run for a
            # slot long past: reading a paused DAG's file is also what moves its next run on.
            "min_file_process_interval": 60,
            "print_stats_interval": 300,
            "dag_bundle_storage_path": home / "bundles",
        },
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            "colored_console_log": False,
        },
        "usage_data_collection": {"enabled": False},
    }
    variables = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for section, values in by_section.items()
        for key, value in values.items()
    }
    return {"AIRFLOW_HOME": str(home)} | variables


def airflow_home(settings: StackSettings) -> Path:
    return settings.home.resolve() / "data" / "airflow"


def airflow_password_file(secrets: Secrets) -> str:
    """Content of SimpleAuthManager's password file; written before the first start, so that it invents none."""
    return json.dumps({AIRFLOW_USER: secrets.airflow_password})


def sinker_settings(settings: StackSettings, secrets: Secrets) -> dict[str, str]:
    """Settings of the event sinker."""
    clickhouse = clickhouse_endpoint(settings, secrets)
    return {
        "SINKER_RABBITMQ_HOST": HOST,
        "SINKER_RABBITMQ_PORT": str(settings.port("rabbitmq")),
        "SINKER_RABBITMQ_USER": RABBITMQ_USER,
        "SINKER_RABBITMQ_PASSWORD": secrets.rabbitmq_password,
        "SINKER_RABBITMQ_VHOST": RABBITMQ_VHOST,
        "SINKER_CLICKHOUSE_HOST": clickhouse.host,
        "SINKER_CLICKHOUSE_HTTP_PORT": str(clickhouse.http_port),
        "SINKER_CLICKHOUSE_USER": clickhouse.user,
        "SINKER_CLICKHOUSE_PASSWORD": clickhouse.password,
        "SINKER_CLICKHOUSE_DATABASE": "_e",
        "SINKER_CLICKHOUSE_SECURE": str(clickhouse.secure).lower(),
        "SINKER_BATCH_SECONDS": "2",  # who watches one machine does not want to wait minutes for a full batch
        "SINKER_HTTP_HOST": HOST,
        "SINKER_HTTP_PORT": str(settings.port("sinker")),
    }


def dbt_settings(settings: StackSettings, secrets: Secrets) -> dict[str, str]:
    """What gcc_social/profiles.yml reads."""
    clickhouse = clickhouse_endpoint(settings, secrets)
    return {
        "DBT_CLICKHOUSE_HOST": clickhouse.host,
        "DBT_CLICKHOUSE_PORT": str(clickhouse.native_port),
        "DBT_CLICKHOUSE_HTTP_PORT": str(clickhouse.http_port),
        "DBT_CLICKHOUSE_USER": clickhouse.user,
        "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": clickhouse.password,
        "DBT_CLICKHOUSE_SECURE": str(clickhouse.secure),
        "DBT_PEER_GROUP_PROFILES": "3",  # synthetic worlds are small; with production's 100 no account gets a grade
    }
