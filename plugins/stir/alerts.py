"""Alerts on Slack: a task that has failed for good, and a run that hit its time limit.

An alert is information about an outcome and must never change it: whatever happens while it is sent is logged and
swallowed. Task alerts are silent while retries remain. The run alert speaks only for failures that no task reports:
a run cut off by its limit leaves skipped tasks behind, and Airflow calls no task callback for those.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

log = logging.getLogger(__name__)

LONGEST_ERROR = 1200
SLACK_TIMEOUT_SECONDS = 10
RUN_REASONS = {
    "timed_out": "the run exceeded its time limit of {limit} min; unfinished tasks were cut off",
    "all_tasks_deadlocked": "the run is deadlocked: its remaining tasks can never start",
}


def alert_task_failed(context: Mapping[str, Any]) -> None:
    """`on_failure_callback` of every task: one message when the last try has failed."""
    try:
        if retries_remain(context):
            log.info("no alert: retries remain")
            return
        send(task_message(context))
    except Exception:
        log.exception("the failure alert could not be built; the task's outcome is unaffected")


def alert_run_failed(context: Mapping[str, Any]) -> None:
    """`on_failure_callback` of every DAG: one message for run failures that no task alert covers."""
    try:
        reason = context.get("reason")
        if reason not in RUN_REASONS:
            log.info("no run alert for reason %r: the failed task has sent its own", reason)
            return
        send(run_message(context, reason))
    except Exception:
        log.exception("the run alert could not be built; the run's outcome is unaffected")


def retries_remain(context: Mapping[str, Any]) -> bool:
    """Whether Airflow will try this task again.

    Airflow calls the callback early when a heartbeat is lost while tries remain, so its own judgement is checked. An
    AirflowFailException ends a task at once, whatever remains.
    """
    from airflow.sdk.exceptions import AirflowFailException

    if isinstance(context.get("exception"), AirflowFailException):
        return False
    instance = context["ti"]
    if str(getattr(instance, "state", "") or "") == "failed":
        return False
    return instance.try_number <= (getattr(instance, "max_tries", 0) or 0)


def task_message(context: Mapping[str, Any]) -> str:
    """Text of the alert for one failed task: DAG, task, run, try, owner, error, links."""
    instance = context["ti"]
    tries = (getattr(instance, "max_tries", 0) or 0) + 1
    error = context.get("exception")
    described = (
        f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error or "no error text")
    )
    return _message(
        headline=f"*{instance.dag_id}* / *{instance.task_id}* failed",
        facts=f"run `{instance.run_id}` · try {instance.try_number} of {tries} · owner {_owner(context)}",
        error=described,
        link=instance.log_url,
        link_name="log",
        dag_id=instance.dag_id,
    )


def run_message(context: Mapping[str, Any], reason: str) -> str:
    """Text of the alert for one run that ended without a failed task: DAG, last task, run, try, owner, reason,
    links.
    """
    from airflow.sdk.configuration import conf

    dag = context["dag"]
    run_id = context.get("run_id") or context["dag_run"].run_id
    instance = context.get("ti")
    limit = round(dag.dagrun_timeout.total_seconds() / 60) if dag.dagrun_timeout else "?"
    last = f" · last task {instance.task_id}, try {instance.try_number}" if instance is not None else ""
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return _message(
        headline=f"*{dag.dag_id}* run failed: {reason.replace('_', ' ')}",
        facts=f"run `{run_id}`{last} · owner {_owner(context)}",
        error=RUN_REASONS[reason].format(limit=limit),
        link=f"{base}/dags/{dag.dag_id}/runs/{quote(run_id)}",
        link_name="run",
        dag_id=dag.dag_id,
    )


def send(text: str) -> bool:
    """Post one message to Slack. Returns False, and logs the message instead, when Slack cannot be reached."""
    try:
        post(text)
    except Exception as error:
        log.warning("Slack did not take the alert (%s: %s). The alert was:\n%s", type(error).__name__, error, text)
        return False
    log.info("alert sent to Slack")
    return True


def post(text: str) -> None:
    """Post one message to Slack through the connection that Variable `slack_failure_conn` names; raise when it
    fails.
    """
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
    from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

    from stir.platform_variables import SLACK_CONNECTION

    SlackWebhookHook(
        slack_webhook_conn_id=SLACK_CONNECTION.text(),
        timeout=SLACK_TIMEOUT_SECONDS,
        retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=1), ConnectionErrorRetryHandler(max_retry_count=2)],
    ).send(text=text)


def _owner(context: Mapping[str, Any]) -> str:
    task = context.get("task") or getattr(context.get("ti"), "task", None)
    return getattr(task, "owner", None) or getattr(context.get("dag"), "owner", None) or "unknown"


def _message(*, headline: str, facts: str, error: str, link: str, link_name: str, dag_id: str) -> str:
    from airflow.sdk._shared.secrets_masker import redact

    shown = _escape(str(redact(error)))
    if len(shown) > LONGEST_ERROR:
        shown = shown[:LONGEST_ERROR] + " ... (cut, see the log)"
    return f":red_circle: {headline}\n{facts}\n```{shown}```\n<{link}|{link_name}> · runbook {_runbook(dag_id)}"


def _runbook(dag_id: str) -> str:
    from stir.dag_declaration import REGISTRY
    from stir.platform_variables import RUNBOOK_BASE

    declaration = REGISTRY.get(dag_id)
    page = f"{RUNBOOK_BASE.text().rstrip('/')}/{declaration.runbook_name if declaration else 'README'}.md"
    return f"<{page}|{page}>" if "://" in page else page


def _escape(text: str) -> str:
    """Slack's three control characters, and the fence that would end the code block."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
