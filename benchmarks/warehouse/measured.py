"""What was measured, and how it is read off ClickHouse's query log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

QUERIES = """
select
    JSONExtractString(extract(query, '^/\\\\*(.*?)\\\\*/'), 'node_id') as node,
    toUnixTimestamp64Micro(query_start_time_microseconds) / 1e6 as begun,
    query_duration_ms / 1e3 as seconds,
    memory_usage,
    read_rows,
    written_rows,
    (ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1e6 as cpu_seconds
from system.query_log
where type = 'QueryFinish' and query_start_time_microseconds >= fromUnixTimestamp64Micro({since:Int64})
    and startsWith(query, '/*') and position(query, '"app": "dbt"') > 0
"""
"""Every statement of a dbt run: dbt writes the node into a comment before it."""


@dataclass(frozen=True)
class Query:
    """One statement: the dbt node it belongs to (empty for dbt's own questions), seconds, bytes, rows, CPU seconds."""

    node: str
    begun: float
    seconds: float
    memory: int
    read_rows: int
    written_rows: int
    cpu_seconds: float

    @property
    def model(self) -> str | None:
        return self.node.split(".")[-1] if self.node.startswith("model.") else None


@dataclass(frozen=True)
class TierRun:
    """One dbt process: seconds from start to end, and its statements."""

    tier: str
    seconds: float
    queries: Sequence[Query]

    @property
    def busy_seconds(self) -> float:
        """Time in which at least one statement of a model ran."""
        total, until = 0.0, -math.inf
        for query in sorted((query for query in self.queries if query.model), key=lambda query: query.begun):
            end = query.begun + query.seconds
            total += max(0.0, end - max(query.begun, until))
            until = max(until, end)
        return total

    @property
    def dbt_share(self) -> float:
        """Part of the time in which no model was being built: starting, parsing, asking what is there."""
        return 1 - self.busy_seconds / self.seconds

    @property
    def thirstiest(self) -> Query:
        """The statement that took most memory."""
        return max((query for query in self.queries if query.model), key=lambda query: query.memory)


@dataclass(frozen=True)
class ModelCost:
    """A model over several rounds: median seconds and CPU seconds, largest memory of one statement in bytes, rows read
    and written.
    """

    name: str
    tier: str
    seconds: float
    memory: int
    read_rows: int
    written_rows: int
    cpu_seconds: float

    @classmethod
    def of(cls, name: str, tier: str, runs: Iterable[TierRun]) -> ModelCost:
        rounds = [[query for query in run.queries if query.model == name] for run in runs]
        rounds = [queries for queries in rounds if queries]
        return cls(
            name,
            tier,
            median(sum(query.seconds for query in queries) for queries in rounds),
            max(query.memory for queries in rounds for query in queries),
            max(sum(query.read_rows for query in queries) for queries in rounds),
            max(max(query.written_rows for query in queries) for queries in rounds),
            median(sum(query.cpu_seconds for query in queries) for queries in rounds),
        )


@dataclass
class Build:
    """All runs over one world: `first` builds from nothing, `later` are the rounds after it."""

    first: dict[str, TierRun] = field(default_factory=dict)
    later: dict[str, list[TierRun]] = field(default_factory=dict)

    def first_costs(self) -> dict[str, ModelCost]:
        return self._costs({tier: [run] for tier, run in self.first.items()})

    def later_costs(self) -> dict[str, ModelCost]:
        return self._costs(self.later)

    @staticmethod
    def _costs(runs: dict[str, list[TierRun]]) -> dict[str, ModelCost]:
        costs = {}
        for tier, found in runs.items():
            for name in {query.model for run in found for query in run.queries if query.model}:
                costs[name] = ModelCost.of(name, tier, found)
        return costs

    def as_dict(self) -> dict:
        return {
            "first": {tier: run.seconds for tier, run in self.first.items()},
            "later": {tier: [run.seconds for run in runs] for tier, runs in self.later.items()},
            "dbt_share": {
                tier: median(run.dbt_share for run in self.later.get(tier, [run])) for tier, run in self.first.items()
            },
            "models_first": [asdict(cost) for cost in self.first_costs().values()],
            "models_later": [asdict(cost) for cost in self.later_costs().values()],
        }


def exponent(smaller: ModelCost, larger: ModelCost) -> float | None:
    """Growth of CPU seconds over growth of the rows read or written, whichever grew more, as a power; None where there
    is too little to measure. CPU, because models that run side by side wait for each other.
    """
    if min(smaller.read_rows, smaller.written_rows) < 1 or min(smaller.cpu_seconds, larger.cpu_seconds) < 0.1:
        return None
    rows = max(larger.read_rows / smaller.read_rows, larger.written_rows / smaller.written_rows)
    return math.log(larger.cpu_seconds / smaller.cpu_seconds) / math.log(rows) if rows > 2 else None
