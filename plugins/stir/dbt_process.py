"""What happens inside one dbt process: dropping the leftovers of a killed run, and keeping the error that dbt meant.

Imports dbt, so it is imported when a task runs and never while DAGs are parsed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_dbt_python.hooks.dbt import DbtHook
from dbt.graph import ResourceTypeSelector
from dbt.node_types import NodeType
from dbt.task.run import RunTask

from stir.dbt_parse_cache import keep, recall
from stir.dbt_seeds import LOADING, CurrentSeedRunner
from stir.warehouse import literal

log = logging.getLogger(__name__)

EXCHANGE_TEST_PREFIX = "__dbt_exchange_test_"
SHORT_LIVES_SECONDS = 3600
"""An adapter's exchange test and the load of a seed take a moment. A table of theirs that is this old belongs to a
process that was killed."""

ADDITIONS = "__dbt_additions"
"""As the project's materialization `incremental` calls the table of rows that are complete and about to be added."""

CONNECTION_TROUBLE = (
    "connection refused",
    "could not connect",
    "network is unreachable",
    "name or service not known",
    "timed out",
    "connection reset",
    "broken pipe",
    "unexpected eof",
)


class TierHook(DbtHook):
    """DbtHook whose run task cleans up first and remembers its own failure.

    airflow-dbt-python loses the exception of a run that could not start (it ends in `UnboundLocalError: results`),
    so the task stores it in `failure`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: BaseException | None = None

    def get_dbt_task_config(self, command: str, **arguments: Any) -> Any:
        """Configuration of the dbt command, with our task class in place of dbt's own."""
        config = super().get_dbt_task_config(command, **arguments)
        if command == "run":
            config.cls = self._task_class()
            config.write_json, config.no_write_json = False, True  # the copy is thrown away, and so would they be
        return config

    @contextmanager
    def dbt_directory(self, config: Any, **options: Any) -> Iterator[str]:
        """The copy of the project that dbt works in, with the parsed project of the last run laid beside it."""
        with super().dbt_directory(config, **options) as directory:
            copied = Path(config.project_dir)
            recall(copied)
            yield directory
            keep(copied)

    def _task_class(self) -> type[RunTask]:
        hook = self

        class TierRunTask(RunTask):
            def run(self) -> Any:
                hook.failure = None
                try:
                    return super().run()
                except Exception as error:
                    hook.failure = error
                    raise

            def get_node_selector(self) -> ResourceTypeSelector:
                selector = super().get_node_selector()
                selector.resource_types = {NodeType.Model, NodeType.Seed}
                return selector

            def get_runner_type(self, node: Any) -> Any:
                return CurrentSeedRunner if node.resource_type == NodeType.Seed else super().get_runner_type(node)

            def before_run(self, adapter: Any, selected_uids: Any) -> Any:
                nodes = [self.manifest.nodes[uid] for uid in selected_uids if uid in self.manifest.nodes]
                drop_leftovers(adapter, nodes)
                return super().before_run(adapter, selected_uids)

        return TierRunTask


def drop_leftovers(adapter: Any, nodes: Iterable[Any]) -> list[str]:
    """Drop what a killed run of these same models left behind; returns the names of the tables dropped.

    Only tables named after one of `nodes` are touched (`<model>__dbt_tmp`, `<model>__dbt_backup`): another tier may be
    building its own models at this moment. No second run of this tier can be, since a DAG has one active run.
    Exchange-test tables carry no model's name and are dropped when they are old, and so are tables that a seed was
    loaded into: two tiers may load one seed.
    """
    models: dict[str, set[str]] = {}
    for node in nodes:
        if node.resource_type == "model" and node.config.materialized != "ephemeral":
            models.setdefault(node.schema, set()).add(node.alias)
        elif node.resource_type == "seed":
            models.setdefault(node.schema, set())
    dropped = []
    with adapter.connection_named("leftovers"):
        for schema, names in sorted(models.items()):
            _, found = adapter.execute(
                "select name, toUnixTimestamp(now()) - toUnixTimestamp(metadata_modification_time) as age "  # noqa: S608
                f"from system.tables where database = {literal(schema)} and position(name, '__dbt_') > 0 order by name",
                fetch=True,
            )
            for name, age in found.rows:
                if is_leftover(str(name), int(age), names):
                    adapter.drop_relation(adapter.Relation.create(schema=schema, identifier=str(name), type="table"))
                    dropped.append(f"{schema}.{name}")
    if dropped:
        log.warning("dropped leftovers of a killed run: %s", ", ".join(dropped))
    return dropped


def is_leftover(table: str, age_seconds: int, models: set[str]) -> bool:
    """Whether a table belongs to an earlier, dead run of one of `models` (aliases), or is an old exchange test or
    load of a seed. Rows that wait to be added to an incremental model are not: its next build adds them.
    """
    if table.endswith(ADDITIONS):
        return False
    if table.startswith(EXCHANGE_TEST_PREFIX) or LOADING in table:
        return age_seconds > SHORT_LIVES_SECONDS
    model, marker, _ = table.partition("__dbt_")
    return bool(marker) and (model in models or model.removesuffix("_local") in models)


def explain(error: BaseException) -> str:
    """One readable sentence for a dbt run that could not be carried out."""
    chain, current = [], error
    while current is not None and len(chain) < 8:
        chain.append(current)
        current = current.__cause__ or current.__context__
    texts = [" ".join(str(link).split()) for link in chain]
    for text in texts:
        if any(trouble in text.lower() for trouble in CONNECTION_TROUBLE):
            return (
                f"the warehouse does not answer, so dbt built nothing: {shorten(text)}. Check that ClickHouse is up "
                "and that DBT_CLICKHOUSE_HOST and DBT_CLICKHOUSE_PORT point to it; the task is retried"
            )
    return f"dbt could not run: {type(error).__name__}: {shorten(texts[0] if texts else '')}"


def shorten(text: str, limit: int = 600) -> str:
    """The beginning of a long text, marked as cut."""
    return text if len(text) <= limit else text[:limit] + " ... (cut)"
