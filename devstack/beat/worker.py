"""Runs scrape requests: claims them flow by flow, lets their time pass, and finishes them.

As in Beat a process serves one flow, starts about one request a second, and nothing orders or expires the queue; a flow
without a process stays PENDING. Unlike Beat, a simulator that was killed finishes what it had begun.
"""

from __future__ import annotations

import heapq
import logging
import random
import time
from datetime import UTC, datetime

import orjson

from devstack.beat import scraping
from devstack.beat.background import Background
from devstack.beat.catalogue import Catalogue
from devstack.beat.flows import COMPLETE_TEXT, FLOWS, Scrapes, fate
from devstack.beat.ledger import COMPLETE, FAILED, PROCESSING, Ledger, Row
from devstack.beat.settings import BeatSettings
from devstack.beat.transitions import call, transition

log = logging.getLogger("devstack.beat")
CLAIMS_PER_FLOW = 100
FINISHED_AT_ONCE = 200


class Worker(Background):
    """All processes of all flows in one thread."""

    pause = 0.1

    def __init__(self, ledger: Ledger, catalogue: Catalogue, settings: BeatSettings) -> None:
        super().__init__("worker")
        self.ledger, self.catalogue, self.settings = ledger, catalogue, settings
        self._due: list[tuple[float, int]] = []
        self._allowance = {name: float(flow.processes) for name, flow in FLOWS.items()}
        self._random = random.Random(settings.seed)  # noqa: S311 -- chance, no secret
        self._looked = time.monotonic()
        for row in ledger.interrupted():
            heapq.heappush(self._due, (self._looked, row["id"]))

    def turn(self) -> bool:
        self._claim()
        finished = self._take_due()
        if finished:
            try:
                self._finish(finished)
            except Exception:  # the replica is away: what was taken is tried again
                for row in finished:
                    heapq.heappush(self._due, (time.monotonic() + 1, row["id"]))
                raise
        return len(finished) == FINISHED_AT_ONCE

    def _claim(self) -> None:
        now = time.monotonic()
        elapsed, self._looked = now - self._looked, now
        for name, flow in FLOWS.items():
            more = elapsed * flow.processes / self.settings.time_scale
            self._allowance[name] = min(self._allowance[name] + more, flow.processes * 5.0)
        rows = self.ledger.waiting(list(FLOWS), CLAIMS_PER_FLOW)
        claimed = [row for row in rows if self._allowed(row["flow"])]
        if not claimed:
            return
        moment = datetime.now(UTC)
        with self.ledger.transaction():
            for row in claimed:
                stuck = self._random.random() < self.settings.faults.stuck
                self.ledger.change(row["id"], PROCESSING, stuck=int(stuck))
                self.ledger.emit([transition(row, PROCESSING, moment, picked_at=moment)])
                if not stuck:
                    heapq.heappush(self._due, (now + self._seconds(row), row["id"]))

    def _allowed(self, flow: str) -> bool:
        if self._allowance[flow] < 1:
            return False
        self._allowance[flow] -= 1
        return True

    def _seconds(self, row: Row) -> float:
        shortest, longest = FLOWS[row["flow"]].seconds
        _, place = fate(self.settings.seed, row["id"], row["retry_count"])
        return (shortest + (longest - shortest) * place) * self.settings.time_scale

    def _take_due(self) -> list[Row]:
        now, rows = time.monotonic(), []
        while self._due and self._due[0][0] <= now and len(rows) < FINISHED_AT_ONCE:
            rows.append(self.ledger.request(heapq.heappop(self._due)[1]))
        return rows

    def _finish(self, rows: list[Row]) -> None:
        failures: dict[int, str] = {}
        wanted: dict[tuple[Scrapes, str], dict[int, dict[str, object]]] = {}
        for row in rows:
            params = orjson.loads(row["params"])
            text = FLOWS[row["flow"]].misfit(row["flow"], params)
            if text is None and self.settings.failures:
                text, _ = fate(self.settings.seed, row["id"], row["retry_count"])
            if text is not None:
                failures[row["id"]] = text
            else:
                wanted.setdefault((FLOWS[row["flow"]].scrapes, row["flow"]), {})[row["id"]] = params
        findings = [scraping.scrape(kind, params, self.catalogue, flow) for (kind, flow), params in wanted.items()]
        messages = {}
        for finding in findings:
            failures |= finding.failures
            messages |= finding.messages
        moment = datetime.now(UTC)
        with self.ledger.transaction():
            for row in rows:
                status = FAILED if row["id"] in failures else COMPLETE
                data = failures.get(row["id"], COMPLETE_TEXT)
                self.ledger.change(row["id"], status, data=data, scraped_at=moment.isoformat())
                self.ledger.emit([
                    *messages.get(row["id"], []),
                    transition(row, status, moment, picked_at=moment),
                    call(row, status, moment),
                ])  # fmt: skip
        for finding in findings:
            try:
                scraping.take_over(finding, self.catalogue)
            except Exception as error:  # the requests are finished; the next scrape of these accounts catches up
                log.warning("the replica did not take over new counters: %s: %s", type(error).__name__, error)
