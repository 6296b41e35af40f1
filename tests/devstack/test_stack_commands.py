"""The commands as a user meets them: up twice, a taken port, two at once, down with nothing running, clean."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from devstack.processes import ProcessRecord
from devstack.settings import HOST, REPOSITORY, StackSettings

pytestmark = pytest.mark.integration

Devstack = Callable[..., subprocess.CompletedProcess[str]]
Processes = Callable[[], list[psutil.Process]]


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.create_server((HOST, port)):
        yield


def test_up_twice_down_twice(devstack: Devstack, own_settings: StackSettings, stack_processes: Processes) -> None:
    first = devstack("up", "postgres", "s3")
    assert first.returncode == 0, first.stderr
    assert "ready after" in first.stdout
    pids = {process.pid for process in stack_processes()}
    second = devstack("up", "postgres", "s3")
    assert second.returncode == 0
    assert "runs already" in second.stdout
    assert {process.pid for process in stack_processes()} >= {min(pids)}
    down = devstack("down")
    assert down.returncode == 0, down.stderr
    assert stack_processes() == []
    again = devstack("down")
    assert (again.returncode, again.stdout.strip()) == (0, "Nothing runs.")


def test_up_starts_only_what_is_missing(devstack: Devstack, own_settings: StackSettings) -> None:
    devstack("up", "s3", "slack")
    by_name = {service["service"]: service for service in json.loads(devstack("status", "--json").stdout)["services"]}
    os.kill(by_name["slack"]["pid"], 9)
    assert devstack("up", "s3", "slack").returncode == 0
    after = {service["service"]: service for service in json.loads(devstack("status", "--json").stdout)["services"]}
    assert after["s3"]["pid"] == by_name["s3"]["pid"]
    assert after["slack"]["pid"] != by_name["slack"]["pid"]
    assert {after["s3"]["state"], after["slack"]["state"]} == {"ready"}


def test_a_taken_port_is_one_sentence_and_nothing_is_left_running(
    devstack: Devstack, own_settings: StackSettings, stack_processes: Processes
) -> None:
    with taken(own_settings.port("s3")):
        refused = devstack("up", "slack", "s3")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1, refused.stderr
    for part in (str(own_settings.port("s3")), "s3", "STIR_STACK_PORT_BASE", "STIR_STACK_PORTS", f"pid {os.getpid()}"):
        assert part in refused.stderr
    assert stack_processes() == []
    moved = devstack("up", "s3", STIR_STACK_PORTS=json.dumps({"s3": own_settings.port("beat")}))
    assert moved.returncode == 0, moved.stderr


def test_a_failure_on_the_way_stops_what_was_started_but_not_what_ran_before(
    devstack: Devstack, own_settings: StackSettings
) -> None:
    assert devstack("up", "slack").returncode == 0
    # PostgreSQL's data folder claims another version: found only after the other services have been started.
    (own_settings.data("postgres")).mkdir(parents=True)
    (own_settings.data("postgres") / "PG_VERSION").write_text("9\n")
    failed = devstack("up", "s3", "postgres")
    assert failed.returncode == 1
    assert "PostgreSQL 9" in failed.stderr
    states = {
        service["service"]: service["state"] for service in json.loads(devstack("status", "--json").stdout)["services"]
    }
    assert (states["slack"], states["s3"], states["postgres"]) == ("ready", "stopped", "stopped")


def test_two_ups_at_once_do_not_fight(devstack: Devstack, own_settings: StackSettings) -> None:
    environment = {**os.environ, **own_settings.variables()}
    command = [sys.executable, "-m", "devstack", "up", "postgres", "slack"]
    both = [
        subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted("ready after" in stdout for stdout, _ in outputs) == [False, True]


def test_ctrl_c_leaves_nothing_half_started(own_settings: StackSettings, stack_processes: Processes) -> None:
    """The server is frozen while it starts: it is half started, however fast it or this test is."""
    up = subprocess.Popen(
        [sys.executable, "-m", "devstack", "up", "rabbitmq"],
        cwd=REPOSITORY,
        env={**os.environ, **own_settings.variables()},
        stdout=subprocess.PIPE,
        text=True,
        # A shell without job control starts what it runs in the background deaf to Ctrl-C; the tests may be such a run.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    record = own_settings.home / "run" / "rabbitmq.json"
    while not record.exists():
        assert up.poll() is None, up.communicate()
        time.sleep(0.01)
    server = ProcessRecord(**json.loads(record.read_text())).process()
    server.suspend()
    up.send_signal(signal.SIGINT)
    said = []
    for line in up.stdout:
        said.append(line)
        if "stopping" in line:
            break
    server.resume()  # what it was told meanwhile, it does now
    said += up.communicate(timeout=60)
    assert up.returncode == 130
    assert "starting" in said[0]
    assert not any("ready" in line for line in said if line)
    assert stack_processes() == []


def test_status_of_a_stopped_stack(devstack: Devstack) -> None:
    devstack("up", "slack")
    devstack("down")
    status = devstack("status")
    assert status.returncode == 1
    assert "postgres" in status.stdout
    assert "password" in status.stdout


def test_wrong_names_and_settings_are_one_sentence(devstack: Devstack) -> None:
    unknown = devstack("up", "postgresql")
    assert unknown.returncode == 1
    assert "postgresql" in unknown.stderr
    assert "postgres, rabbitmq" in unknown.stderr
    wrong = devstack("status", STIR_STACK_PORT_BASE="many")
    assert wrong.returncode == 2
    assert "STIR_STACK_PORT_BASE" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert devstack("up", "--fast").returncode == 2


def test_clean_asks_and_then_deletes_everything(
    devstack: Devstack, own_settings: StackSettings, stack_processes: Processes
) -> None:
    devstack("up", "slack")
    refused = devstack("clean")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert own_settings.home.exists()
    cleaned = devstack("clean", "--yes")
    assert cleaned.returncode == 0, cleaned.stderr
    assert not own_settings.home.exists()
    assert stack_processes() == []
    assert devstack("clean", "--yes").returncode == 0


def test_status_without_a_stack_shows_and_makes_nothing(devstack: Devstack, own_settings: StackSettings) -> None:
    status = devstack("status")
    assert status.returncode == 1
    assert status.stdout.startswith("Nothing runs")
    assert "password" not in status.stdout
    assert not own_settings.home.exists()


def test_logs_shows_the_named_service_only(devstack: Devstack) -> None:
    nothing = devstack("logs", "--no-follow")
    assert nothing.returncode == 1
    devstack("up", "slack", "s3")
    shown = devstack("logs", "--no-follow", "slack")
    assert shown.returncode == 0
    assert "slack.log" in shown.stdout
    assert "s3.log" not in shown.stdout
