from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devstack.clickhouse_endpoint import clickhouse_endpoint
from devstack.errors import StackError
from devstack.settings import PORT_OFFSETS, Secrets, StackSettings

pytestmark = pytest.mark.unit


def test_ports_follow_the_base_and_single_ones_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIR_STACK_PORT_BASE", "21000")
    monkeypatch.setenv("STIR_STACK_PORTS", '{"airflow": 8080}')
    settings = StackSettings()
    assert settings.port("postgres") == 21432
    assert settings.port("airflow") == 8080


def test_default_ports_keep_clear_of_the_usual_ones() -> None:
    usual = {22, 4369, 5000, 5432, 5672, 8080, 8090, 8123, 9000, 15672, 25672}
    settings = StackSettings()
    assert usual.isdisjoint(settings.port(service) for service in PORT_OFFSETS)


def test_settings_reach_another_process_unchanged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path / "here", port_base=12345, ports={"beat": 9}, airflow_triggerer=True)
    for name, value in settings.variables().items():
        monkeypatch.setenv(name, value)
    assert StackSettings() == settings


def test_secrets_are_generated_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path / "stack")
    secrets = Secrets.load_or_create(settings)
    assert Secrets.load_or_create(settings) == secrets
    assert stat.S_IMODE((tmp_path / "stack" / "secrets.json").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "stack").iterdir()] == ["secrets.json"]
    assert Secrets.load_or_create(StackSettings(home=tmp_path / "other")) != secrets


def test_a_named_clickhouse_server_replaces_the_local_one(tmp_path: Path) -> None:
    settings = StackSettings(
        home=tmp_path, clickhouse_url="https://me:s%40crt@warehouse.example:9443", clickhouse_url_native_port=9440
    )
    endpoint = clickhouse_endpoint(settings, Secrets.load_or_create(settings))
    assert (endpoint.host, endpoint.http_port, endpoint.native_port) == ("warehouse.example", 9443, 9440)
    assert (endpoint.user, endpoint.password, endpoint.secure) == ("me", "s@crt", True)


def test_a_wrong_clickhouse_url_is_named_without_its_password(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path, clickhouse_url="clickhouse://me:hidden@warehouse.example")
    with pytest.raises(StackError, match="STIR_STACK_CLICKHOUSE_URL") as raised:
        clickhouse_endpoint(settings, Secrets.load_or_create(settings))
    assert "hidden" not in str(raised.value)
