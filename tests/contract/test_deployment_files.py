"""docker-compose.yml, .env.example, .gitlab-ci.yml and docs/configuration.md say the same as the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from stir.platform_variables import VARIABLES
from stir.serving.settings import SERVING_VARIABLES

from devstack.beat.__main__ import parser as beat_parser
from devstack.environment import airflow_connections, dbt_settings, sinker_settings
from devstack.partners.__main__ import parser as partners_parser
from devstack.settings import Secrets, StackSettings
from devstack.slack.__main__ import parser as slack_parser
from devstack.ssh_keys import client_key

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = (REPOSITORY / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `docker/init.sh` leaves it: .env with generated values, ssh keys."""
    folder = tmp_path_factory.mktemp("deployment")
    shutil.copytree(REPOSITORY / "docker", folder / "docker", ignore=shutil.ignore_patterns("keys"))
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copy(REPOSITORY / name, folder)
    subprocess.run([folder / "docker" / "init.sh"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def rendered(deployment: Path) -> dict:
    """The compose file with the generated values filled in, as Docker Compose reads it."""
    done = subprocess.run(
        ["docker-compose", "--env-file", ".env", "config"], cwd=deployment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.fixture(scope="module")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> tuple[StackSettings, Secrets]:
    settings = StackSettings(home=tmp_path_factory.mktemp("stack"), clickhouse_url="")
    secrets = Secrets.load_or_create(settings)
    for key in (client_key(settings), settings.data("sshd") / "host_key"):
        key.parent.mkdir(parents=True, exist_ok=True)
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return settings, secrets


def test_generated_values_are_random_and_private(deployment: Path) -> None:
    values = dict(
        line.split("=", 1) for line in (deployment / ".env").read_text().splitlines() if "=" in line and line[0] != "#"
    )
    assert "generate" not in "".join(values.values())
    passwords = [value for name, value in values.items() if name.endswith(("PASSWORD", "SECRET", "TOKEN"))]
    assert len(set(passwords)) == len(passwords) >= 5
    assert (deployment / ".env").stat().st_mode & 0o077 == 0
    assert (deployment / "docker" / "keys" / "ssh_key").stat().st_mode & 0o077 == 0


def test_a_second_init_keeps_what_exists(deployment: Path) -> None:
    before = (deployment / ".env").read_text()
    subprocess.run([deployment / "docker" / "init.sh"], check=True, capture_output=True)
    assert (deployment / ".env").read_text() == before


def test_example_environment_and_compose_file_name_the_same_variables() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE)) - {"STIR_VERSION", "STIR_IMAGE", "STIR_DATABASE_HOST_IMAGE"}
    offered = set(re.findall(r"^([A-Z0-9_]+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    assert used == offered


def test_no_secret_stands_in_the_compose_file() -> None:
    named = re.findall(r"(?:PASSWORD|SECRET|TOKEN|FERNET)\w*: (.+)", COMPOSE)
    assert len(named) >= 8
    named += re.findall(r'"password": "([^"]*)"', COMPOSE) + re.findall(r"://\w*:?([^@/\s]*)@", COMPOSE)
    assert all(value.startswith("${") for value in named), named


def test_every_long_running_service_has_a_health_check() -> None:
    one_off = {"bucket", "schema", "airflow-init", "world"}
    simulators = {"beat", "slack", "partners"}
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == one_off | simulators


def test_airflow_finds_the_same_connections_in_both_stacks(rendered: dict, local_stack) -> None:
    variables = rendered["services"]["airflow-worker"]["environment"]
    compose = {
        name.removeprefix("AIRFLOW_CONN_").lower(): value
        for name, value in variables.items()
        if name.startswith("AIRFLOW_CONN_")
    }
    assert set(compose) == set(airflow_connections(*local_stack))
    for name, value in compose.items():
        assert name == "fs_default" or json.loads(value)["host"], name
    assert set(dbt_settings(*local_stack)) <= set(variables)


def test_the_example_for_servers_elsewhere_reaches_every_service_of_theirs(deployment: Path, rendered: dict) -> None:
    example = "docker/production.example.yml"
    passwords = set(re.findall(r"\$\{(\w+)", (REPOSITORY / example).read_text()))
    done = subprocess.run(
        ["docker-compose", "--env-file", ".env", "-f", "docker-compose.yml", "-f", example, "config"],
        cwd=deployment,
        env={**os.environ, **dict.fromkeys(passwords, "s3cret")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert "--foreign-tables" in rendered["services"]["schema"]["command"][-1], "the bundled servers have no replicas"
    assert "--foreign-tables" not in services["schema"]["command"][-1], "theirs have"
    for name, service in services.items():
        before, after = rendered["services"][name].get("environment", {}), service.get("environment", {})
        if name.startswith("airflow") or name in ("schema", "sinker"):
            new = set(after) - set(before)
            assert new <= {"SINKER_CLICKHOUSE_SECURE", "AIRFLOW_VAR_SERVING_EXPORT_BUCKET"}, "misspelt?"
            changed = {key for key in after if "HOST" in key and before[key] != after[key]}
            assert "SINKER_CLICKHOUSE_HOST" in changed or name != "sinker"
            assert "DBT_CLICKHOUSE_HOST" in changed or name == "sinker", name
            for key, value in after.items():
                if key.startswith("AIRFLOW_CONN_") and "example.com" in value:
                    assert json.loads(value)["host"].endswith("example.com"), key
        else:
            assert before == after, name


def test_the_sinker_knows_every_setting_that_the_compose_file_gives(rendered: dict, local_stack) -> None:
    given = {name for name in rendered["services"]["sinker"]["environment"] if name.startswith("SINKER_")}
    assert given <= set(sinker_settings(*local_stack)), "a misspelt variable would be ignored silently"


def test_demo_services_are_started_with_options_that_their_programs_have() -> None:
    for name, parser in (("beat", beat_parser()), ("slack", slack_parser()), ("partners", partners_parser())):
        options = parser.parse_args(SERVICES[name]["command"][3:])
        assert options.host == "0.0.0.0", "other containers must reach it"  # noqa: S104


def test_images_copy_only_folders_that_exist() -> None:
    for line in (REPOSITORY / "docker" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            source = next(word for word in line.split()[1:] if not word.startswith("--"))
            assert (REPOSITORY / source).exists(), line


def test_pipeline_calls_only_targets_that_exist() -> None:
    pipeline = (REPOSITORY / ".gitlab-ci.yml").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    called = set(re.findall(r"make ([a-z-]+)", pipeline))
    assert called and called <= targets


def test_every_image_of_the_platform_is_public_or_pushed_by_the_pipeline() -> None:
    built = {
        name for name, service in SERVICES.items() if "build" in service and "demo" not in service.get("profiles", [])
    }
    variables = set(re.findall(r"\$\{(STIR_\w*IMAGE)", " ".join(SERVICES[name]["image"] for name in built)))
    pipeline = (REPOSITORY / ".gitlab-ci.yml").read_text()
    assert variables == set(re.findall(r"(STIR_\w*IMAGE)=", pipeline))
    assert pipeline.count("docker push") == len(variables)


def test_deploys_are_started_by_hand_and_never_overlap() -> None:
    pipeline = yaml.safe_load((REPOSITORY / ".gitlab-ci.yml").read_text())
    deploys = {name: job for name, job in pipeline.items() if name.startswith("deploy-")}
    assert set(deploys) == {"deploy-staging", "deploy-production"}
    for job in deploys.values():
        assert job["resource_group"] == job["environment"]["name"]
        rules = pipeline[job["extends"]]["rules"]
        assert all(rule["when"] == "manual" for rule in rules)


def test_a_pipeline_schedule_checks_the_data_and_does_nothing_else() -> None:
    pipeline = yaml.safe_load((REPOSITORY / ".gitlab-ci.yml").read_text())
    pipeline = {name: job for name, job in pipeline.items() if isinstance(job, dict)}
    jobs = {name: job for name, job in pipeline.items() if "stage" in job}
    assert jobs.pop(".check")["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    assert all('$CI_PIPELINE_SOURCE != "schedule"' in job["rules"][0]["if"] for job in jobs.values())
    commands = [job["variables"]["COMMAND"].split() for job in pipeline.values() if job.get("extends") == ".check"]
    assert [command[0] for command in commands] == ["source", "test"]
    assert "tag:deprecated" in commands[1], "no tier builds those models"
    for command in commands:  # dbt refuses an option that it does not have before it shows its help
        dbt = [Path(sys.executable).with_name("dbt"), *command, "--project-dir", "gcc_social", "--help"]
        subprocess.run(dbt, cwd=REPOSITORY, check=True, capture_output=True)


def test_configuration_page_lists_every_pool() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    for name, pool in json.loads((REPOSITORY / "dags" / "pools.json").read_text()).items():
        assert f"| `{name}` | {pool['slots']} | {pool['description']} |" in page, name


def test_configuration_page_lists_every_variable_and_connection(local_stack) -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    for variable in (*VARIABLES, *SERVING_VARIABLES):
        assert f"| `{variable.name}` | `{variable.default}` | {variable.meaning} |" in page, variable.name
    for name in (*airflow_connections(*local_stack), *dbt_settings(*local_stack)):
        assert f"`{name}`" in page, name
