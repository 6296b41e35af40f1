from __future__ import annotations

import json
import shlex
import subprocess

import pytest
from airflow.models.connection import Connection

from devstack.environment import environment
from devstack.home import prepare_home
from devstack.settings import Secrets, StackSettings

pytestmark = pytest.mark.unit

CONTRACT = {
    *(f"AIRFLOW_CONN_{name}" for name in ("CLICKHOUSE_GCC", "PROD_PG", "STAGE_PG", "SSH_PROD_PG", "SSH_STAGE_PG")),
    *(f"AIRFLOW_CONN_{name}" for name in ("BEAT", "RABBITMQ_CONNECTION", "SLACK_ALERTS", "FS_DEFAULT")),
    *("AIRFLOW_CONN_VIDOOLY_SEARCH", "AIRFLOW_CONN_CRM_EVENTS"),
    "AIRFLOW_VAR_SERVING_FETCH_DIRECTORY",
    *(f"SINKER_RABBITMQ_{name}" for name in ("HOST", "PORT", "USER", "PASSWORD", "VHOST")),
    *(f"SINKER_CLICKHOUSE_{name}" for name in ("HOST", "HTTP_PORT", "USER", "PASSWORD", "DATABASE")),
    *("SINKER_HTTP_PORT", "DBT_CLICKHOUSE_HOST", "DBT_CLICKHOUSE_PORT", "DBT_CLICKHOUSE_HTTP_PORT"),
    *("DBT_CLICKHOUSE_USER", "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD", "DBT_CLICKHOUSE_SECURE"),
    *("DBT_PROJECT_DIR", "DBT_PROFILES_DIR"),
}


@pytest.fixture
def variables(own_settings: StackSettings) -> dict[str, str]:
    prepare_home(own_settings)
    return environment(own_settings, Secrets.load_or_create(own_settings))


def connection(variables: dict[str, str], name: str) -> Connection:
    return Connection.from_json(variables[f"AIRFLOW_CONN_{name.upper()}"], conn_id=name)


def test_every_variable_of_the_contract_is_there(variables: dict[str, str]) -> None:
    assert variables.keys() >= CONTRACT
    assert all(isinstance(value, str) and value for name, value in variables.items() if name in CONTRACT)


def test_airflow_reads_the_connections(variables: dict[str, str], own_settings: StackSettings) -> None:
    secrets = Secrets.load_or_create(own_settings)
    serving = connection(variables, "prod_pg")
    assert (serving.conn_type, serving.schema, serving.port) == ("postgres", "serving", own_settings.port("postgres"))
    assert serving.password == secrets.postgres_password
    assert connection(variables, "stage_pg").schema == "serving_staging"
    assert connection(variables, "clickhouse_gcc").port == own_settings.port("clickhouse_native")
    assert connection(variables, "rabbitmq_connection").schema == "/"
    assert connection(variables, "beat").host == f"http://127.0.0.1:{own_settings.port('beat')}"
    assert connection(variables, "fs_default").conn_type == "fs"


def test_the_ssh_connection_pins_the_host_key_with_its_type(variables: dict[str, str]) -> None:
    extra = connection(variables, "ssh_prod_pg").extra_dejson
    assert extra["host_key"].startswith("ssh-ed25519 AAAA")
    assert extra["no_host_key_check"] is False
    assert "password" not in json.loads(variables["AIRFLOW_CONN_SSH_PROD_PG"])


def test_airflow_is_closed_to_other_machines_and_starts_nothing_by_itself(variables: dict[str, str]) -> None:
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert variables["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert variables["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "True"
    for secret in ("CORE__FERNET_KEY", "API_AUTH__JWT_SECRET", "API__SECRET_KEY"):
        assert len(variables[f"AIRFLOW__{secret}"]) >= 32


def test_env_without_a_stack_is_one_sentence_and_makes_nothing(own_settings: StackSettings, devstack) -> None:
    for options in ([], ["--json"]):
        printed = devstack("env", *options)
        assert (printed.returncode, printed.stdout) == (1, "")
        assert printed.stderr == f"There is no stack in {own_settings.home}: `make up` makes and starts it.\n"
        assert not own_settings.home.exists()


def test_env_prints_what_a_shell_can_read(own_settings: StackSettings, devstack, variables: dict[str, str]) -> None:
    printed = devstack("env")
    assert printed.returncode == 0, printed.stderr
    script = printed.stdout + '\nprintf %s "$AIRFLOW_CONN_SSH_PROD_PG"'
    shell = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
    assert shell.stdout == variables["AIRFLOW_CONN_SSH_PROD_PG"]
    names = [shlex.split(line)[1].partition("=")[0] for line in printed.stdout.splitlines()]
    assert sorted(names) == sorted([*variables, "PYTHONPATH", "DBT_TARGET_PATH", "DBT_LOG_PATH"])
