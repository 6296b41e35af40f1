"""What writing into a server costs: its client's time and its own CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from devstack.services.base import Service


class Cost:
    """What writing took: seconds of each request as the client waited for it, CPU seconds of the whole server."""

    def __init__(self, service: Service) -> None:
        self.service, self.rows, self.seconds, self.cpu = service, [], [], 0.0

    def __enter__(self) -> Cost:
        self.cpu -= cpu_seconds(self.service)
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu += cpu_seconds(self.service)

    def time(self, rows: int, action: Callable[[], object]) -> None:
        begin = time.perf_counter()
        action()
        self.seconds.append(time.perf_counter() - begin)
        self.rows.append(rows)


def cpu_seconds(service: Service) -> float:
    """CPU seconds of a server since its start, with its child processes, ended or alive."""
    main = service.main.process()
    spent = sum(main.cpu_times()[:4])
    for child in main.children(recursive=True):
        try:
            spent += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:  # counted with its parent on the next call
            continue
    return spent
