"""Care of the platform itself: health checks and housekeeping."""

from __future__ import annotations

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG  # noqa: F401 -- pre-imported by the dag-processor
from stir.dag_declaration import DagDeclaration, Documentation, Kind
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
