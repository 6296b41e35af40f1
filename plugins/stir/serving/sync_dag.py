"""The tasks of a serving sync: one per step of the guarded publish, each with its own time limit and retries."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.ssh.operators.ssh import SSHOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, TaskGroup, TriggerRule, chain
from airflow_clickhouse_plugin.operators.clickhouse import ClickHouseOperator

from stir.dag_declaration import DagDeclaration
from stir.serving.database import session_options
from stir.serving.declaration import Target
from stir.serving.export import EXPORT_SETTINGS
from stir.serving.freshness import Freshness
from stir.serving.load_sessions import LoadInSessions
from stir.serving.naming import Environment
from stir.serving.publication import EXPORT, GUARD, MANIFEST, Publication
from stir.time_guards import is_manual

KILL_AFTER = timedelta(seconds=60)
"""A step limits itself (statement_timeout, `timeout`, max_execution_time); Airflow's limit comes this much later."""


NO_GRACE = timedelta()


def serving_dag(
    declaration: DagDeclaration, target: Target, environment: Environment, *, grace: timedelta = NO_GRACE
) -> DAG:
    """The DAG that publishes `target` in `environment` and does nothing else.

    `grace` is how long it leaves a new build to another DAG that publishes the same target.
    Raises ValueError when a run may outlive the age at which what it leaves behind is cleaned away.
    """
    dag = declaration.dag()
    with dag:
        _publish_tasks(dag, Publication(target, environment), grace)
    return dag


def build_and_publish(building: BaseOperator, target: Target, environment: Environment, *, pool: str) -> None:
    """The same steps as a group within the DAG that builds the mart, after the task that does. One DAG publishes one
    target.

    Where another model failed, a mart that was built is published all the same, and the run fails at its end.
    Raises ValueError when a run may outlive the age at which what it leaves behind is cleaned away.
    """
    dag = building.dag
    with TaskGroup(
        f"publish_{target.name}", prefix_group_id=False, default_args={"pool": pool}, dag=dag
    ) as group:  # without a prefix: the steps have the same names in every DAG
        _publish_tasks(dag, Publication(target, environment), NO_GRACE, TriggerRule.NONE_SKIPPED)
    every_model = EmptyOperator(
        task_id="every_model", doc_md="Fails the run where a model failed, whatever was published.", dag=dag
    )
    building >> [group, every_model]


def _publish_tasks(
    dag: DAG, publication: Publication, grace: timedelta, begins: TriggerRule = TriggerRule.ALL_SUCCESS
) -> None:
    """Declare the steps in the DAG at hand: freshness to vacuum in a line, then ledger and clean-up. `begins` says
    after what.

    The clean-up tasks are teardowns: they run whatever happened, and do not turn a failed run into a successful one.
    """
    target, environment = publication.target, publication.environment
    limits = target.limits
    if dag.dagrun_timeout is None or dag.dagrun_timeout.total_seconds() >= limits.abandoned:
        raise ValueError(
            f"DAG {dag.dag_id}: run limit {dag.dagrun_timeout} must be below the {limits.abandoned} s after which "
            f"{target.name} takes working tables and files for abandoned"
        )
    dag.user_defined_macros = {**(dag.user_defined_macros or {}), "publication": publication}
    freshness = FreshMart(
        publication=publication,
        grace=grace,
        task_id="freshness",
        doc_md="Waits until the mart was rebuilt since the live generation and nobody rebuilds it; else skips the run.",
        mode="reschedule",
        poke_interval=30,
        timeout=limits.freshness,
        trigger_rule=begins,
        execution_timeout=timedelta(minutes=5),
        pool="default_pool",
    )
    export = ClickHouseOperator(
        task_id=EXPORT,
        doc_md="Writes the mart to one S3 object, keyed by run and try. Never overwrites.",
        clickhouse_conn_id=environment.clickhouse,
        sql=[
            "{{ publication.note_build_sql() }}",
            "{{ publication.export_sql(ti) }}",
            "{{ publication.source_state_sql(ti) }}",
        ],
        settings={**EXPORT_SETTINGS, "max_execution_time": limits.export},
        execution_timeout=timedelta(seconds=limits.export) + KILL_AFTER,
    )
    manifest = PythonOperator(
        task_id=MANIFEST,
        doc_md="Reads the object back in ClickHouse: rows, bytes, checksum, columns.",
        python_callable=Refusing(publication, MANIFEST, publication.take_manifest),
        execution_timeout=timedelta(seconds=limits.export) + KILL_AFTER,
    )
    fetch = SSHOperator(
        task_id="fetch",
        doc_md="Copies the object to the database host; size and checksum must be the manifest's.",
        ssh_conn_id=environment.ssh,
        command="{{ publication.fetch_command(ti) }}",
        cmd_timeout=limits.fetch + 30,
        execution_timeout=timedelta(seconds=limits.fetch) + KILL_AFTER,
        do_xcom_push=False,
    )
    load = _postgres(
        *(environment, "load", "load_sql", limits.load, "COPY into a typed table of this run."),
        operator=LoadParts,
        publication=publication,
    )
    enrich = _postgres(
        environment, "enrich", "enrichment_sql", limits.load, "Joins account ids, handles and audience into the rows."
    )
    guard = PythonOperator(
        task_id=GUARD,
        doc_md="Rows as in the manifest, share of live, minimum, key unique and not null, nothing that blocks a swap.",
        python_callable=Refusing(publication, GUARD, publication.check_guards),
        execution_timeout=timedelta(seconds=limits.load) + KILL_AFTER,
    )
    index = _postgres(environment, "index", "index_sql", limits.index, "Builds indexes and statistics.")
    swap = PythonOperator(
        task_id="swap",
        doc_md="Renames in one transaction under a short lock timeout; keeps the previous generation.",
        python_callable=Refusing(publication, "swap", publication.swap),
        execution_timeout=timedelta(seconds=limits.swap) + KILL_AFTER,
    )
    vacuum = ServingStatement(
        task_id="vacuum",
        doc_md="VACUUM ANALYZE of the new live table.",
        conn_id=environment.postgres,
        sql=f"vacuum analyze {target.name}",
        autocommit=True,
        statement_seconds=limits.vacuum,
        execution_timeout=timedelta(seconds=limits.vacuum) + KILL_AFTER,
        do_xcom_push=False,
    )
    steps = [freshness, export, manifest, fetch, load, enrich, guard, index, swap, vacuum]
    ledger = PythonOperator(
        task_id="ledger",
        doc_md="Completes the ledger row with the seconds of each step. Fails after that where the vacuum failed.",
        python_callable=_record_seconds,
        op_kwargs={"publication": publication, "steps": [step.task_id for step in steps]},
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
    )
    clean_host = SSHOperator(
        task_id="clean_host",
        doc_md="Removes this run's object and file, and abandoned ones of this target.",
        ssh_conn_id=environment.ssh,
        command="{{ publication.clean_up_command(ti) }}",
        cmd_timeout=300,
        execution_timeout=timedelta(seconds=300) + KILL_AFTER,
        do_xcom_push=False,
    ).as_teardown()
    clean_database = PythonOperator(
        task_id="clean_database",
        doc_md="Drops working tables of this run and of crashed ones.",
        python_callable=publication.drop_leftovers,
        execution_timeout=timedelta(minutes=5),
    ).as_teardown()
    chain(*steps)
    [swap, vacuum] >> ledger
    ledger >> [clean_host, clean_database]


class ServingStatement(SQLExecuteQueryOperator):
    """SQL on a serving database, in a session like those of `database.connect`."""

    def __init__(self, *, statement_seconds: int, **operator: Any) -> None:
        super().__init__(**operator)
        self.statement_seconds = statement_seconds

    def get_db_hook(self) -> Any:
        """The hook with its session's options; alone, it would let those of the connection replace them."""
        hook = super().get_db_hook()
        extra = hook.connection.extra_dejson
        options = session_options(extra, self.statement_seconds)
        hook.connection.extra = json.dumps(extra | {"options": options})
        return hook


class LoadParts(ServingStatement):
    """The load: a file in one transaction, or its parts in several sessions. `sql` shows either."""

    def __init__(self, *, publication: Publication, **operator: Any) -> None:
        super().__init__(**operator)
        self.publication = publication
        self.loading: LoadInSessions | None = None

    def execute(self, context: Any) -> Any:
        self.loading = self.publication.load_in_sessions(context["ti"])
        return self.loading.run() if self.loading else super().execute(context)

    def on_kill(self) -> None:
        """Airflow ends the task: its sessions must not go on."""
        if self.loading:
            self.loading.cancel()


def _postgres(
    environment: Environment,
    task_id: str,
    method: str,
    seconds: int,
    doc: str,
    operator: type[ServingStatement] = ServingStatement,
    **more: Any,
) -> ServingStatement:
    """One transaction on the serving database, built by a method of the publication when the task runs."""
    return operator(
        task_id=task_id,
        doc_md=doc,
        conn_id=environment.postgres,
        sql="{{ publication." + method + "(ti) }}",
        split_statements=False,
        statement_seconds=seconds,
        execution_timeout=timedelta(seconds=seconds) + KILL_AFTER,
        do_xcom_push=False,
        **more,
    )


class FreshMart(BaseSensorOperator):
    """Waits for a mart that is worth publishing. When it has waited long enough, it skips the run with the reason, or
    fails where the table has become older than its declaration allows.
    """

    def __init__(self, *, publication: Publication, grace: timedelta, **sensor: Any) -> None:
        super().__init__(**sensor)
        self.publication = publication
        self.grace = grace
        self.found = Freshness(ready=False, reason="")

    def poke(self, context: Any) -> bool:
        from airflow.sdk.exceptions import AirflowFailException

        from stir.serving.manifest import PublishRefused

        try:
            self.found = self.publication.freshness(by_hand=is_manual(context), grace=self.grace)
        except PublishRefused as refusal:
            self.publication.note_refusal(context["ti"], self.task_id, str(refusal))
            raise AirflowFailException(str(refusal)) from refusal
        self.log.info("%s", self.found.reason)
        return self.found.ready

    def execute(self, context: Any) -> Any:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

        try:
            return super().execute(context)
        except AirflowSensorTimeout as waited:
            outcome = f"nothing is published: {self.found.reason}. Waited {self.timeout:.0f} s"
            if self.found.stale:
                raise AirflowFailException(f"{outcome}. {self.found.stale}") from waited
            raise AirflowSkipException(outcome) from waited


class Refusing:
    """A step whose refusal ends the task at once: another try would see the same data. `status` shows why."""

    def __init__(self, publication: Publication, task_id: str, step: Any) -> None:
        self.publication = publication
        self.task_id = task_id
        self.step = step
        self.__name__ = step.__name__

    def __call__(self, ti: Any) -> Any:
        from airflow.sdk.exceptions import AirflowFailException

        from stir.serving.manifest import PublishRefused

        try:
            return self.step(ti)
        except PublishRefused as refusal:
            self.publication.note_refusal(ti, self.task_id, str(refusal))
            raise AirflowFailException(str(refusal)) from refusal


def _record_seconds(ti: Any, publication: Publication, steps: list[str]) -> dict[str, float]:
    """Write the seconds of the steps down. A run is judged by its last task: it fails when one of them failed."""
    from airflow.sdk.exceptions import AirflowFailException

    ended = [each for each in ti.get_task_breadcrumbs(ti.dag_id, ti.run_id) if each["task_id"] in steps]
    seconds = {each["task_id"]: round(each["duration"], 2) for each in ended if each.get("duration") is not None}
    publication.record_seconds(ti, seconds)
    if failed := [each["task_id"] for each in ended if each["state"] == "failed"]:
        raise AirflowFailException(f"the table is live and the ledger complete, but {', '.join(failed)} failed")
    return seconds
