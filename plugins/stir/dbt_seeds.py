"""Seeds inside a tier's own dbt process: the ones that its models read are there and current before the models run.

A seed is loaded when its table is missing or was loaded from another version of the file; the file's checksum stands
in the table's comment. It is loaded into a table of its own that takes the name when it is complete: a reader never
sees part of a seed, and two tiers that load one at the same moment do not mix their rows. Imports dbt: see
`stir.dbt_process`.
"""

from __future__ import annotations

import threading
from copy import copy
from typing import Any
from uuid import uuid4

from dbt.artifacts.schemas.results import RunStatus
from dbt.artifacts.schemas.run import RunResult
from dbt.task.seed import SeedRunner
from dbt_common.exceptions import DbtDatabaseError

from stir.warehouse import literal

MARK = "loaded from file with checksum "
LOADING = "__dbt_loading_"
"""Between the name of a seed and a chance number: the table that it is loaded into."""

NO_SUCH_TABLE = "Code: 60."


class CurrentSeedRunner(SeedRunner):
    """dbt's own loading of one seed, beside the table, and skipped when the table already holds this version of the
    file.
    """

    def execute(self, model: Any, manifest: Any) -> RunResult:
        """Load the seed, or report success with the message `unchanged`."""
        mark = MARK + model.checksum.checksum
        if self._comment(model.schema, model.alias) == mark:
            return RunResult(
                status=RunStatus.Success, timing=[], thread_id=threading.current_thread().name, execution_time=0.0,
                message="unchanged", adapter_response={}, failures=None, node=model, batch_results=None,
            )  # fmt: skip
        aside = copy(model)
        aside.alias = f"{model.alias}{LOADING}{uuid4().hex[:12]}"
        table, loading = (self.adapter.Relation.create_from(self.config, node) for node in (model, aside))
        on_cluster = f" on cluster {self.adapter.get_clickhouse_cluster_name()}" if table.should_on_cluster else ""
        try:
            result = super().execute(aside, manifest)
            self.adapter.execute(f"alter table {loading}{on_cluster} modify comment {literal(mark)}")
            self._put_in_place(f"{loading}", f"{table}", on_cluster)
        finally:
            self.adapter.execute(f"drop table if exists {loading}{on_cluster} sync")
        result.node = model
        return result

    def _put_in_place(self, loading: str, table: str, on_cluster: str) -> None:
        """Give the loaded table the seed's name; the one that had it is then called like the loaded one."""
        try:
            self.adapter.execute(f"exchange tables {loading} and {table}{on_cluster}")
        except DbtDatabaseError as error:
            if NO_SUCH_TABLE not in str(error):
                raise
            try:
                self.adapter.execute(f"rename table {loading} to {table}{on_cluster}")
            except DbtDatabaseError:  # another tier was first
                self.adapter.execute(f"exchange tables {loading} and {table}{on_cluster}")

    def _comment(self, schema: str, name: str) -> str | None:
        _, found = self.adapter.execute(
            "select comment from system.tables "  # noqa: S608
            f"where database = {literal(schema)} and name = {literal(name)} and engine not like '%View'",
            fetch=True,
        )
        return str(found.rows[0][0]) if len(found.rows) else None
