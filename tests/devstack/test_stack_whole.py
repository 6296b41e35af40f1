"""The whole stack as `make up` starts it: time, listeners, logins, what a process list shows, kill -9 of everything."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from devstack.home import prepare_home
from devstack.settings import AIRFLOW_USER, Secrets, StackSettings

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]


def services(devstack: Callable[..., subprocess.CompletedProcess[str]]) -> dict[str, dict]:
    status = devstack("status", "--json")
    found = {service["service"]: service for service in json.loads(status.stdout)["services"]}
    assert (status.returncode == 0) == all(service["state"] == "ready" for service in found.values())
    return found


def test_the_whole_stack(
    devstack: Callable[..., subprocess.CompletedProcess[str]],
    own_settings: StackSettings,
    stack_processes: Callable[[], list[psutil.Process]],
) -> None:
    up = devstack("up")
    assert up.returncode == 0, up.stderr
    running = services(devstack)
    assert {service["state"] for service in running.values()} == {"ready"}
    assert sum(service["memory_bytes"] for service in running.values()) < 3_000_000_000

    _nobody_else_can_connect(stack_processes())
    secrets = Secrets.load_or_create(own_settings)
    _no_secret_in_the_process_list(stack_processes(), secrets)
    _the_password_of_status_opens_airflow(json.loads(devstack("status", "--json").stdout)["ui"])
    _nobody_else_can_read_the_files(own_settings)

    for service in running.values():
        psutil.Process(service["pid"]).kill()
    assert {service["state"] for service in services(devstack).values()} == {"died"}
    again = devstack("up")
    assert again.returncode == 0, again.stderr
    assert {service["state"] for service in services(devstack).values()} == {"ready"}

    assert devstack("down").returncode == 0
    assert stack_processes() == []


def _nobody_else_can_connect(processes: list[psutil.Process]) -> None:
    listening = _listening(processes)
    assert len(listening) >= 10
    assert {address for address in listening if address[0] not in ("127.0.0.1", "::1")} == set()


def _listening(processes: list[psutil.Process]) -> set[tuple[str, int, str]]:
    """Address, port and program of every socket that takes connections or datagrams.

    A datagram socket at a port that the kernel has chosen is a client's: Erlang has one while it asks for names and
    network interfaces.
    """
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    return {
        (connection.laddr.ip, connection.laddr.port, process.name())
        for process in processes
        if process.is_running()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
        or (
            connection.type == socket.SOCK_DGRAM and not connection.raddr and not first <= connection.laddr.port <= last
        )
    }


def _no_secret_in_the_process_list(processes: list[psutil.Process], secrets: Secrets) -> None:
    shown = "\n".join(" ".join(process.cmdline()) for process in processes)
    assert "scheduler" in shown
    assert [name for name, value in secrets.model_dump().items() if value in shown] == []


def _the_password_of_status_opens_airflow(ui: dict[str, str]) -> None:
    login = {"username": ui["user"], "password": ui["password"]}
    assert ui["user"] == AIRFLOW_USER
    reply = httpx.post(f"{ui['url']}/auth/token", json=login)
    token = reply.raise_for_status().json()["access_token"]
    assert httpx.post(f"{ui['url']}/auth/token", json=login | {"password": "guessed"}).status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    dags = httpx.get(f"{ui['url']}/api/v2/dags", headers=headers, timeout=30).raise_for_status().json()["dags"]
    assert all(dag["is_paused"] for dag in dags), "a new stack does nothing on its own"


def _nobody_else_can_read_the_files(settings: StackSettings) -> None:
    home = prepare_home(settings)
    readable = [
        path
        for path in home.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o004 and _reachable(path.parent, home)
    ]
    assert [path.name for path in readable] == ["stir-stack"]


def _reachable(folder: Path, home: Path) -> bool:
    """Could another user get into this folder below the home?"""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents) if part.is_relative_to(home))
