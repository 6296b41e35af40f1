"""The tasks that clean up after the publishing path, two per environment."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.providers.ssh.operators.ssh import SSHOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from stir.serving import fetch, housekeeping
from stir.serving.database import connect
from stir.serving.naming import ENVIRONMENTS, Environment
from stir.serving.settings import BACKUP_DAYS, ServingSettings
from stir.serving.targets import TARGETS

DATABASE_LIMIT = timedelta(minutes=4)
HOST_LIMIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Housekeeping:
    """What the tasks of one environment run; Variables and connections are read when they do."""

    environment: Environment

    def clean_database(self, ti: Any) -> dict[str, Any]:
        """Drop abandoned working tables and expired backups; returns them and the size of what is left."""
        with closing(connect(self.environment, "housekeeping")) as connection:
            return housekeeping.clean_database(
                connection,
                list(TARGETS.values()),
                self.environment,
                dag_id=ti.dag_id,
                run_id=ti.run_id,
                keep_backups=timedelta(days=BACKUP_DAYS.number()),
            )

    def sweep_command(self) -> str:
        """Shell command for the database host: removes abandoned files and objects, prints the disk's use."""
        settings = ServingSettings.from_variables()
        return fetch.sweep_command(
            list(TARGETS.values()),
            self.environment,
            bucket=settings.bucket,
            prefix=settings.prefix,
            folder=settings.fetch_directory,
            older_than_minutes=max(target.limits.abandoned for target in TARGETS.values()) // 60,
        )


def housekeeping_tasks(dag: DAG) -> None:
    """Declare the tasks. They are independent: a host that is away keeps nothing else from being cleaned."""
    environments = {name: Housekeeping(environment) for name, environment in ENVIRONMENTS.items()}
    dag.user_defined_macros = {**(dag.user_defined_macros or {}), "housekeeping": environments}
    for name, cleaning in environments.items():
        PythonOperator(
            task_id=f"clean_database_{name}",
            doc_md="Drops abandoned working tables and expired backups, and reports the size of every table.",
            python_callable=cleaning.clean_database,
            execution_timeout=DATABASE_LIMIT,
        )
        SSHOperator(
            task_id=f"clean_host_{name}",
            doc_md="Removes abandoned files and objects, and reports the disk's use.",
            ssh_conn_id=cleaning.environment.ssh,
            command="{{ housekeeping['" + name + "'].sweep_command() }}",
            cmd_timeout=int(HOST_LIMIT.total_seconds()) - 30,
            execution_timeout=HOST_LIMIT,
            do_xcom_push=False,
        )
