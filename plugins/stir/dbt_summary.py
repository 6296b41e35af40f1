"""A dbt run's results in the two forms that people read: a table for the log and a small page for XCom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

SLOWEST = 5
MESSAGE_LENGTH = 400


@dataclass(frozen=True)
class NodeResult:
    """One model or seed of a run: status in dbt's words (success, error, skipped, ...), seconds, dbt's message."""

    name: str
    status: str
    seconds: float
    message: str
    kind: str = "model"


@dataclass(frozen=True)
class Summary:
    """All models and seeds of one dbt run, in the order in which they ended, and the seconds that the run took."""

    nodes: tuple[NodeResult, ...]
    seconds: float

    @classmethod
    def of(cls, results: Any) -> Summary:
        """From dbt's RunExecutionResult. An empty or missing result gives an empty summary."""
        nodes = tuple(
            NodeResult(
                name=result.node.name,
                status=str(getattr(result.status, "value", result.status)),
                seconds=round(result.execution_time or 0.0, 2),
                message=" ".join(str(result.message or "").split())[:MESSAGE_LENGTH],
                kind=str(getattr(result.node.resource_type, "value", result.node.resource_type)),
            )
            for result in getattr(results, "results", None) or ()
        )
        return cls(nodes=nodes, seconds=round(getattr(results, "elapsed_time", 0.0) or 0.0, 1))

    @property
    def selected_a_model(self) -> bool:
        """Whether there is more than seeds."""
        return self.count("model") > 0

    def count(self, kind: str) -> int:
        """Nodes of one of dbt's kinds: model, seed."""
        return sum(node.kind == kind for node in self.nodes)

    @property
    def counts(self) -> dict[str, int]:
        """Nodes by status."""
        return dict(Counter(node.status for node in self.nodes))

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.status in ("error", "fail", "runtime error"))

    @property
    def headline(self) -> str:
        """`27 models, 4 seeds in 41.3 s: 30 success, 1 error`."""
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.counts.items(), reverse=True))
        seeds = f", {self.count('seed')} seeds" if self.count("seed") else ""
        return f"{self.count('model')} models{seeds} in {self.seconds} s: {counts}"

    @property
    def table(self) -> str:
        """One line per node, failures first, then the slowest."""
        width = max((len(node.name) for node in self.nodes), default=0)
        ordered = sorted(self.nodes, key=lambda node: (node not in self.failed, -node.seconds, node.name))
        return "\n".join(f"{n.name:<{width}}  {n.status:<8} {n.seconds:>8.2f} s  {n.message}" for n in ordered)

    @property
    def failure_text(self) -> str:
        """What an alert should say: what failed and why, and how many were skipped because of it."""
        failed = "; ".join(f"{node.name}: {node.message}" for node in self.failed) or "no model reported an error"
        skipped = self.counts.get("skipped", 0)
        return f"{len(self.failed)} of {self.count('model')} models failed, {skipped} skipped. {failed}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready page: counts, seconds, failures and the slowest models. A few hundred bytes, whatever the
        tier's size.
        """
        slowest = sorted(self.nodes, key=lambda node: -node.seconds)[:SLOWEST]
        return {
            "models": self.count("model"),
            "seeds": self.count("seed"),
            "counts": self.counts,
            "seconds": self.seconds,
            "failed": [{"model": node.name, "message": node.message} for node in self.failed],
            "slowest": {node.name: node.seconds for node in slowest},
        }
