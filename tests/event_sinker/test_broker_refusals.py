"""RabbitMQ refuses the login, the virtual host or a right: each is named with what to do, and tried again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.event_sinker.sinker_command import run_command
from tests.fault.sinker_process import SinkerProcess, SinkerWorld, free_port, wait_until

pytestmark = pytest.mark.integration

ALL_RIGHTS = {"configure": ".*", "write": ".*", "read": ".*"}


@pytest.fixture
def management(rabbitmq_service, world: SinkerWorld) -> Iterator[httpx.Client]:
    login = (world.settings.rabbitmq_user, world.settings.rabbitmq_password.get_secret_value())
    with httpx.Client(base_url=rabbitmq_service.management_url, auth=login, timeout=20) as client:
        yield client


@contextmanager
def user(management: httpx.Client) -> Iterator[str]:
    """A user without any right, whose password is its name."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    management.put(f"/api/users/{name}", json={"password": name, "tags": ""}).raise_for_status()
    yield name
    management.delete(f"/api/users/{name}").raise_for_status()


def grant(management: httpx.Client, world: SinkerWorld, name: str, **changes: str) -> None:
    path = f"/api/permissions/{world.settings.rabbitmq_vhost}/{name}"
    management.put(path, json=ALL_RIGHTS | changes).raise_for_status()


def complaint(sinker: SinkerProcess) -> str:
    """What a sinker that cannot connect says in its health check, which is also in its log."""
    wait_until(sinker.answers)
    said = wait_until(lambda: sinker.get("/readyz").json()["reasons"].get("rabbitmq"))
    assert sinker.get("/readyz").status_code == 503
    entries = [entry for entry in sinker.log() if entry["message"] == "no connection to RabbitMQ, will be repeated"]
    assert said in [entry["error"] for entry in entries]
    return said


def assert_commands_say(world: SinkerWorld, said: str, **changes: object) -> None:
    for command in (["status"], ["check-config", "--connect"], ["dlq", "list", "profile_log"]):
        done = run_command(world, *command, **changes)
        assert done.returncode == 3, command
        assert said in done.stderr, command


def test_a_wrong_password_is_named_and_a_rotated_one_is_taken(world: SinkerWorld, management: httpx.Client) -> None:
    with user(management) as name:
        grant(management, world, name)
        login = {"rabbitmq_user": name, "rabbitmq_password": "rotated"}
        sinker = world.start(wait=False, **login)
        said = complaint(sinker)
        assert f"refuses the login of user {name}" in said
        assert "SINKER_RABBITMQ_PASSWORD" in said
        assert_commands_say(world, said, **login)
        assert "rotated" not in sinker.log_path.read_text()
        management.put(f"/api/users/{name}", json={"password": "rotated", "tags": ""}).raise_for_status()
        world.send(20)
        wait_until(sinker.ready)
        world.assert_each_stored_once()
        assert sinker.get("/readyz").json()["reasons"] == {}


def test_a_virtual_host_that_is_not_there_is_named(world: SinkerWorld) -> None:
    sinker = world.start(wait=False, rabbitmq_vhost="nowhere")
    said = complaint(sinker)
    assert f"does not let user {world.settings.rabbitmq_user} into virtual host nowhere" in said
    assert "not found" in said
    assert "SINKER_RABBITMQ_VHOST" in said
    assert_commands_say(world, said, rabbitmq_vhost="nowhere")


def test_a_virtual_host_that_is_not_open_to_the_user_is_named(world: SinkerWorld, management: httpx.Client) -> None:
    vhost = world.settings.rabbitmq_vhost
    with user(management) as name:
        sinker = world.start(wait=False, rabbitmq_user=name, rabbitmq_password=name)
        said = complaint(sinker)
        assert f"does not let user {name} into virtual host {vhost}" in said
        assert f"set_permissions -p {vhost} {name}" in said


def test_a_right_that_is_missing_is_named(world: SinkerWorld, management: httpx.Client) -> None:
    """The user may not declare what is not there yet; when that is granted, the sinker goes on."""
    vhost = world.settings.rabbitmq_vhost
    with world.connection() as connection:
        connection.channel().queue_delete("profile_log_events_q")
    with user(management) as name:
        grant(management, world, name, configure="^$")
        sinker = world.start(wait=False, rabbitmq_user=name, rabbitmq_password=name)
        said = complaint(sinker)
        assert f"user {name} lacks a right in virtual host {vhost}" in said
        assert f"set_permissions -p {vhost} {name} '.*' '.*' '.*'" in said
        grant(management, world, name)
        wait_until(sinker.ready)
        world.send(5)
        world.assert_each_stored_once()


def test_the_dead_letters_may_not_be_written(world: SinkerWorld, management: httpx.Client) -> None:
    with user(management) as name:
        grant(management, world, name)
        sinker = world.start(rabbitmq_user=name, rabbitmq_password=name)
        grant(management, world, name, write="^(?!dead.dx$).*")
        world.publish([b"{"])
        said = wait_until(lambda: sinker.get("/readyz").json()["reasons"].get("profile_log_events_q"))
        assert f"user {name} lacks a right" in said
        assert "dead.dx" in said
        grant(management, world, name)
        wait_until(lambda: len(world.dead()) == 1)
        wait_until(sinker.ready)
        assert sinker.terminate() == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rabbitmq_host": "no-such-host.invalid"}, "check SINKER_RABBITMQ_HOST"),
        ({"rabbitmq_secure": True, "rabbitmq_host": "localhost"}, "Check SINKER_RABBITMQ_SECURE"),
        ({"rabbitmq_port": free_port()}, "Connection refused"),
    ],
    ids=["host", "tls", "port"],
)
def test_an_address_that_is_wrong_is_named(world: SinkerWorld, changes: dict[str, object], said: str) -> None:
    sinker = world.start(wait=False, **changes)
    assert said in complaint(sinker)
    assert said in run_command(world, "status", **changes).stderr
