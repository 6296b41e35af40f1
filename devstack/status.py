"""What runs, where, with how much memory."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from devstack.services import Service
from devstack.settings import AIRFLOW_USER
from devstack.stack import Stack

READY, NOT_ANSWERING, DIED, STOPPED = "ready", "not answering", "died", "stopped"
STYLES = {READY: "green", NOT_ANSWERING: "yellow", DIED: "red", STOPPED: "dim"}


@dataclass(frozen=True)
class ServiceStatus:
    """State of one service. `memory_bytes` is the proportional set size of its processes: shared pages count once."""

    service: str
    state: str
    pid: int | None
    address: str
    memory_bytes: int
    processes: int
    log: str


def service_status(service: Service) -> ServiceStatus:
    process = service.main.process()
    if service.running():
        state = READY if service.ready() else NOT_ANSWERING
    else:
        state = DIED if service.main.record() else STOPPED
    family = [process, *process.children(recursive=True)] if process else []
    return ServiceStatus(
        service=service.name,
        state=state,
        pid=process.pid if process else None,
        address=service.address,
        memory_bytes=sum(map(_memory, family)),
        processes=len(family),
        log=str(service.log),
    )


def _memory(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.AccessDenied:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def statuses(stack: Stack) -> list[ServiceStatus]:
    """State of every service that is switched on."""
    services = stack.wanted()
    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        return list(pool.map(service_status, services))


def as_json(stack: Stack, found: Iterable[ServiceStatus]) -> dict:
    """For machines: all services, and where the UI is. Holds the UI's password."""
    return {"services": [asdict(status) for status in found], "home": str(stack.settings.home), "ui": _ui(stack)}


def _ui(stack: Stack) -> dict[str, str]:
    return {
        "url": stack.services["airflow-api"].address,
        "user": AIRFLOW_USER,
        "password": stack.secrets.airflow_password,
    }


def as_table(stack: Stack, found: list[ServiceStatus]) -> RenderableType:
    """For people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("service", "state"):
        table.add_column(column, no_wrap=True)
    for column in ("pid", "memory"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("address", overflow="fold")
    table.add_column("log", no_wrap=True)
    for status in found:
        table.add_row(
            status.service,
            Text(status.state, style=STYLES[status.state]),
            str(status.pid or "-"),
            f"{status.memory_bytes / 1e6:.0f} MB" if status.memory_bytes else "-",
            status.address,
            Path(status.log).name,
        )
    total = sum(status.memory_bytes for status in found)
    ui = _ui(stack)
    rabbitmq = stack.services["rabbitmq"]
    footer = Text.assemble(
        f"\nMemory in all: {total / 1e9:.2f} GB. Logs in {stack.settings.logs}\n",
        ("Airflow   ", "bold"), f"{ui['url']}  user {ui['user']}  password {ui['password']}\n",
        ("RabbitMQ  ", "bold"),
        f"{rabbitmq.management_url}  user stir  password {stack.secrets.rabbitmq_password}",
    )  # fmt: skip
    return Group(table, footer)


def print_statuses(stack: Stack, console: Console) -> bool:
    """Print the table. True if everything runs."""
    found = statuses(stack)
    console.print(as_table(stack, found), highlight=False)
    return all_ready(found)


def all_ready(found: Iterable[ServiceStatus]) -> bool:
    return all(status.state == READY for status in found)
