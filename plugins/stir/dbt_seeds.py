"""Seeds inside a tier's own dbt process: the ones that its models read are there and current before the models run.

A seed is loaded when its table is missing or was loaded from another version of the file; the file's checksum stands
in the table's comment. Loading empties the table for a moment, so an unchanged seed is left alone. Imports dbt: see
`stir.dbt_process`.
"""

from __future__ import annotations

import threading
from typing import Any

from dbt.artifacts.schemas.results import RunStatus
from dbt.artifacts.schemas.run import RunResult
from dbt.task.seed import SeedRunner

from stir.warehouse import literal

MARK = "loaded from file with checksum "


class CurrentSeedRunner(SeedRunner):
    """dbt's own loading of one seed, skipped when the table already holds this version of the file."""

    def execute(self, model: Any, manifest: Any) -> RunResult:
        """Load the seed, or report success with the message `unchanged`."""
        table = f"{self.adapter.quote(model.schema)}.{self.adapter.quote(model.alias)}"
        mark = MARK + model.checksum.checksum
        if self._comment(model.schema, model.alias) == mark:
            return RunResult(
                status=RunStatus.Success, timing=[], thread_id=threading.current_thread().name, execution_time=0.0,
                message="unchanged", adapter_response={}, failures=None, node=model, batch_results=None,
            )  # fmt: skip
        result = super().execute(model, manifest)
        self.adapter.execute(f"alter table {table} modify comment {literal(mark)}")
        return result

    def _comment(self, schema: str, name: str) -> str | None:
        _, found = self.adapter.execute(
            "select comment from system.tables "  # noqa: S608
            f"where database = {literal(schema)} and name = {literal(name)} and engine not like '%View'",
            fetch=True,
        )
        return str(found.rows[0][0]) if len(found.rows) else None
