"""Care of the platform itself: health checks and housekeeping."""

from __future__ import annotations

from airflow.providers.ssh.operators.ssh import SSHOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG  # noqa: F401 -- pre-imported by the dag-processor
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.serving.housekeeping_dag import housekeeping_tasks
from stir.slack_check import send_test_message

with DagDeclaration(
    dag_id="slack_connection",
    kind=Kind.HEALTH_CHECK,
    schedule="0 9 * * *",
    tags=("alerts",),
    documentation=Documentation(
        purpose="Prove once a day that alerts would arrive. A test message goes the way that alerts go.",
        inputs="The Slack connection that Variable `slack_failure_conn` names (default `slack_alerts`).",
        outputs="One message in the alert channel.",
        on_failure="""No alert can reach Slack, including the one about this failure: this DAG's state in the UI is
        the only sign. The log holds Slack's answer. Renew the webhook's token in the connection and clear the task.""",
    ),
).dag():
    PythonOperator(task_id="send_test_message", python_callable=send_test_message)


with DagDeclaration(
    dag_id="cleanup_serving_artifacts",
    kind=Kind.HOUSEKEEPING,
    schedule="30 2 * * *",
    tags=("serving",),
    max_active_tasks=2,
    runbook="serving-sync",
    documentation=Documentation(
        purpose="""Remove what no serving sync cleans up after itself. Syncs drop their own artifacts and those of their
        crashed predecessors; this finds what is left of targets whose sync no longer runs, and says how much disk all
        serving tables and exports take.""",
        inputs="""Both serving databases, the exports' folder on their hosts, the export bucket. Variable
        `serving_backup_days` (default 14).""",
        outputs="""Dropped: working tables, files and objects older than any run, and previous generations that were
        replaced longer ago than the Variable says. Sizes and disk use: log and XCom of the tasks. Nothing without this
        platform's tag or name is touched.""",
        on_failure="""Nothing that readers see is at stake; disks fill slowly. The log names the server that did not
        answer. Clear the task when it is back, or wait for tomorrow's run.""",
    ),
).dag() as cleanup_serving_artifacts:
    housekeeping_tasks(cleanup_serving_artifacts)
