"""Load the three stores with the same events, ask them the same questions, and keep what was measured."""

from __future__ import annotations

import os
import time
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.event_store.cost import Cost
from benchmarks.event_store.events import BLOCK, DAY, blocks, columns, moment
from benchmarks.event_store.questions import GROWTH, GROWTH_TUNED, HISTORY, PER_DAY, WINDOW, Question
from benchmarks.event_store.report import INDEXES, say
from benchmarks.event_store.stores import ClickHouseStore, PostgresStore, Store, restart
from devstack.services import ClickHouseService, PostgresService
from devstack.services.base import Service

DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class Comparison:
    """The three stores and what was measured on them."""

    def __init__(
        self, clickhouse: ClickHouseService, postgres: PostgresService, events: Path, seed: int, end: int
    ) -> None:
        self.events, self.end = events, end
        self.clickhouse = ClickHouseStore(clickhouse)
        self.postgres = PostgresStore("postgres a", postgres, "platform, profile_id, event_timestamp")
        self.stores = [self.clickhouse, self.postgres, PostgresStore("postgres b", postgres, "profile_id")]
        since = {"since": moment(end - WINDOW * DAY)}
        known = sorted({tuple(columns(line).split("\t")[2:4]) for line in next(blocks(events))})
        picked = [known[place] for place in np.random.default_rng(seed).choice(len(known), 50, replace=False)]
        self.asked = dict.fromkeys((HISTORY, GROWTH, GROWTH_TUNED, PER_DAY), [since] * 5)
        self.asked[HISTORY] = [since | {"platform": platform, "profile": profile} for platform, profile in picked]
        self.answers: dict[tuple[str, str], int] = {}
        self.figures: dict[str, dict[str, list[float]]] = {}
        self.costs: dict[str, Cost] = {}

    def load(self) -> None:
        for store in self.stores:
            say(f"loading {store.name}")
            self.costs[f"{store.name}, {store.way} of {BLOCK:,}"] = store.load(blocks(self.events))
            total, indexes = store.sizes()
            self.note("on disk, MB", store, total)
            self.note(INDEXES, store, indexes)

    def note(self, label: str, store: Store, value: float) -> None:
        self.figures.setdefault(label, {}).setdefault(store.name, []).append(value)

    def ask(self) -> None:
        """Ask in turns; what was not asked just before is first asked unmeasured."""
        for question, asked in self.asked.items():
            say(f"{question.label}, warm")
            for place, parameters in enumerate(asked):
                for store in self.stores:
                    if place == 0 or parameters != asked[place - 1]:
                        store.answer(question, parameters)
                    self.note(f"{question.label}, warm, ms", store, self.timed(store, question, parameters))

    def ask_cold(self) -> None:
        for question, times in ((HISTORY, 50), (GROWTH_TUNED, 1)):
            for store in self.stores:
                say(f"{question.label}, cold, {store.name}")
                self.forget(store.service)
                for parameters in self.asked[question][:times]:
                    self.note(f"{question.label}, cold, ms", store, self.timed(store, question, parameters))

    def timed(self, store: Store, question: Question, parameters: dict[str, str]) -> float:
        """Milliseconds; SystemExit if the answer is not that of the stores before."""
        begin = time.perf_counter()
        rows = store.answer(question, parameters)
        taken = 1000 * (time.perf_counter() - begin)
        answer = hash(tuple(sorted(map(tuple, rows))))
        if not rows or answer != self.answers.setdefault((question.label.split(",")[0], str(parameters)), answer):
            raise SystemExit(f"{store.name} answers '{question.label}' unlike the stores before it, for {parameters}")
        return taken

    def forget(self, service: Service) -> None:
        """Restart a server on an empty page cache."""
        service.stop()
        os.sync()
        DROP_CACHES.write_text("3")
        restart(service)
        for store in self.stores:
            store.connect()

    def insert_one_by_one(self, count: int) -> None:
        lines = [line for block in islice(blocks(self.events), 1 + count // BLOCK) for line in block][:count]
        for mode in ("on", "off"):
            say(f"row by row, synchronous_commit {mode}")
            cost = self.postgres.insert_one_by_one(lines, mode)
            self.costs[f"postgres a, row by row, synchronous_commit {mode}"] = cost
