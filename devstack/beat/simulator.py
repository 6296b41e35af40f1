"""The simulator's parts put together: ledger, worker, outbox publisher, queue mirror."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pika
from clickhouse_connect.driver.client import Client

from devstack.beat.background import Background, OutboxPublisher, QueueMirror
from devstack.beat.catalogue import Catalogue, InventedCatalogue, ReplicaCatalogue
from devstack.beat.ledger import Ledger
from devstack.beat.profile_endpoint import ProfileEndpoint
from devstack.beat.settings import BeatSettings
from devstack.beat.worker import Worker

log = logging.getLogger("devstack.beat")


class Simulator:
    """Everything but HTTP. Without `connect` (to ClickHouse) accounts are made up and the queue is not mirrored."""

    def __init__(
        self, settings: BeatSettings, parameters: pika.ConnectionParameters, connect: Callable[[], Client] | None
    ) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.data_dir)
        catalogue: Catalogue = ReplicaCatalogue(connect) if connect else InventedCatalogue()
        self.profiles = ProfileEndpoint(self.ledger, catalogue)
        self.threads: list[Background] = [
            Worker(self.ledger, catalogue, settings),
            OutboxPublisher(self.ledger, parameters),
        ]
        if connect:
            self.threads.append(QueueMirror(self.ledger, connect))

    def start(self) -> None:
        for thread in self.threads:
            thread.start()
        log.info("requests are kept in %s", self.ledger.path)

    def stop(self) -> None:
        """End the threads; what is not published yet stays in the outbox for the next start."""
        for thread in self.threads:
            thread.stop()
        for thread in self.threads:
            thread.join(timeout=10)
        self.ledger.close()

    def stats(self) -> dict[str, Any]:
        """Requests by flow and status, messages that wait for the broker, what the background threads suffer from."""
        counts = self.ledger.counts()
        totals: dict[str, int] = {}
        for by_status in counts.values():
            for status, number in by_status.items():
                totals[status] = totals.get(status, 0) + number
        return {
            "requests": sum(totals.values()),
            "by_status": totals,
            "by_flow": counts,
            "outbox": self.ledger.outbox_depth(),
            "errors": {thread.name: thread.error for thread in self.threads if thread.error},
            "faults": self.settings.faults.model_dump(),
        }
