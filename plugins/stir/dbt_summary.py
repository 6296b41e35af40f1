"""A dbt run's results in the two forms that people read: a table for the log and a small page for XCom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

SLOWEST = 5
MESSAGE_LENGTH = 400


@dataclass(frozen=True)
class ModelResult:
    """One model or seed of a run: status in dbt's words (success, error, skipped, ...), seconds, dbt's message."""

    name: str
    status: str
    seconds: float
    message: str
    kind: str = "model"


@dataclass(frozen=True)
class Summary:
    """All models of one dbt run, in the order in which they ended, and the seconds that the run took."""

    models: tuple[ModelResult, ...]
    seconds: float

    @classmethod
    def of(cls, results: Any) -> Summary:
        """From dbt's RunExecutionResult. An empty or missing result gives an empty summary."""
        models = tuple(
            ModelResult(
                name=result.node.name,
                status=str(getattr(result.status, "value", result.status)),
                seconds=round(result.execution_time or 0.0, 2),
                message=" ".join(str(result.message or "").split())[:MESSAGE_LENGTH],
                kind=str(getattr(result.node.resource_type, "value", result.node.resource_type)),
            )
            for result in getattr(results, "results", None) or ()
        )
        return cls(models=models, seconds=round(getattr(results, "elapsed_time", 0.0) or 0.0, 1))

    @property
    def selected_a_model(self) -> bool:
        """Whether there is more than seeds."""
        return any(model.kind == "model" for model in self.models)

    @property
    def counts(self) -> dict[str, int]:
        """Models by status."""
        return dict(Counter(model.status for model in self.models))

    @property
    def failed(self) -> tuple[ModelResult, ...]:
        return tuple(model for model in self.models if model.status in ("error", "fail", "runtime error"))

    @property
    def headline(self) -> str:
        """`27 models in 41.3 s: 26 success, 1 error`."""
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.counts.items(), reverse=True))
        return f"{len(self.models)} models in {self.seconds} s: {counts}"

    @property
    def table(self) -> str:
        """One line per model, failures first, then the slowest."""
        width = max((len(model.name) for model in self.models), default=0)
        ordered = sorted(self.models, key=lambda model: (model not in self.failed, -model.seconds, model.name))
        return "\n".join(f"{m.name:<{width}}  {m.status:<8} {m.seconds:>8.2f} s  {m.message}" for m in ordered)

    @property
    def failure_text(self) -> str:
        """What an alert should say: which models failed and why, and how many were skipped because of them."""
        failed = "; ".join(f"{model.name}: {model.message}" for model in self.failed) or "no model reported an error"
        skipped = self.counts.get("skipped", 0)
        return f"{len(self.failed)} of {len(self.models)} models failed, {skipped} skipped. {failed}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready page: counts, seconds, failures and the slowest models. A few hundred bytes, whatever the
        tier's size.
        """
        slowest = sorted(self.models, key=lambda model: -model.seconds)[:SLOWEST]
        return {
            "models": len(self.models),
            "counts": self.counts,
            "seconds": self.seconds,
            "failed": [{"model": model.name, "message": model.message} for model in self.failed],
            "slowest": {model.name: model.seconds for model in slowest},
        }
