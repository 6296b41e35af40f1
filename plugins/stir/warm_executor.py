"""Airflow's LocalExecutor with the large libraries loaded before it forks.

A task process is a fork of the executor's worker, which is a fork of the scheduler. What the scheduler has imported, a
task finds there, in memory that all of them share. What it has not, each task imports anew: dbt alone takes seconds of
CPU, in every tier and every few minutes.

The project's own modules are left to the tasks, so that a deployment takes effect with the next task. After an upgrade
of a library the scheduler must be restarted, which Airflow needs anyway.

    AIRFLOW__CORE__EXECUTOR=stir.warm_executor.WarmLocalExecutor
"""

from __future__ import annotations

import importlib
import logging
import time

from airflow.executors.local_executor import LocalExecutor

log = logging.getLogger(__name__)

# What tasks of this project use, without what these import themselves.
LIBRARIES = (
    "airflow.providers.common.compat.openlineage.check",
    "airflow.providers.common.sql.operators.sql",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.ssh.operators.ssh",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.sensors.python",
    "airflow_clickhouse_plugin.hooks.clickhouse",
    "airflow_clickhouse_plugin.operators.clickhouse",
    "airflow_dbt_python.hooks.dbt",
    "airflow_dbt_python.operators.dbt",
    "boto3",
    "dbt.adapters.clickhouse",
    "dbt.cli.main",
    "dbt.task.run",
    "dbt.task.seed",
    "httpx",
    "orjson",
    "pika",
    "psycopg2",
    "slack_sdk.webhook",
)


def load_libraries() -> list[str]:
    """Import them; returns those that could not be, for which a task that needs one will say so itself."""
    started = time.monotonic()
    missing = []
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except Exception:  # a library that is broken in whatever way stops its own tasks, not the scheduler
            log.warning("Tasks will look for %s themselves: it cannot be imported here", name, exc_info=True)
            missing.append(name)
    log.info("Loaded the libraries of tasks in %.1f s", time.monotonic() - started)
    return missing


class WarmLocalExecutor(LocalExecutor):
    """Runs each task in a process of its own on the scheduler's machine, as LocalExecutor does, but sooner."""

    def start(self) -> None:
        """Load what tasks need, then fork the workers."""
        load_libraries()
        super().start()
