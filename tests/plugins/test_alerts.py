"""Alerts against the local Slack webhook, and against a Slack that is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from stir.alerts import alert_run_failed, alert_task_failed
from stir.dag_declaration import REGISTRY, DagDeclaration, Documentation, Kind
from stir.slack_check import send_test_message


@dataclass
class Instance:
    """What an alert reads of a task instance."""

    dag_id: str = "alerting"
    task_id: str = "send_requests"
    run_id: str = "scheduled__2026-03-01T00:10:00+00:00"
    try_number: int = 3
    max_tries: int = 2
    state: str | None = "failed"
    log_url: str = "http://airflow/dags/alerting/runs/x/tasks/send_requests?try_number=3"


TASK = SimpleNamespace(owner="data-platform")
DAG = SimpleNamespace(dag_id="alerting", dagrun_timeout=timedelta(minutes=30), owner="data-platform")


def failed(
    error: object = AirflowException("6 of 12 requests <were> refused & lost"), **instance: Any
) -> dict[str, Any]:
    return {"ti": Instance(**instance), "task": TASK, "dag": DAG, "exception": error}


@pytest.fixture
def slack(
    slack_service: Any, connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[str]]:
    """Connection `slack_alerts` to the local webhook; call the fixture for the texts that arrived during the test."""
    connection("slack_alerts", host=slack_service.webhook_base, password=slack_service.secrets.slack_token)
    documentation = Documentation(purpose="Test.", inputs="none", outputs="none", on_failure="Look.")
    declared = DagDeclaration(dag_id="alerting", kind=Kind.SCRAPE_REQUEST, schedule=None, documentation=documentation)
    monkeypatch.setitem(REGISTRY, "alerting", declared)
    before = len(slack_service.messages())
    return lambda: [message["payload"]["text"] for message in slack_service.messages()[before:]]


@pytest.mark.integration
def test_a_final_failure_says_what_where_why_and_where_to_look(slack: Callable[[], list[str]]) -> None:
    alert_task_failed(failed())
    (text,) = slack()
    for part in (
        "*alerting* / *send_requests* failed",
        "run `scheduled__2026-03-01T00:10:00+00:00`",
        "try 3 of 3",
        "owner data-platform",
        "AirflowException: 6 of 12 requests &lt;were&gt; refused &amp; lost",
        "<http://airflow/dags/alerting/runs/x/tasks/send_requests?try_number=3|log>",
        "runbook docs/runbooks/scrape-request.md",
    ):
        assert part in text


@pytest.mark.integration
def test_nothing_is_said_while_retries_remain(slack: Callable[[], list[str]]) -> None:
    alert_task_failed(failed(try_number=2, state=None))
    alert_task_failed(failed(try_number=2, state="up_for_retry"))
    assert slack() == []


@pytest.mark.integration
def test_a_failure_that_forbids_retries_is_told_at_once(slack: Callable[[], list[str]]) -> None:
    alert_task_failed(failed(AirflowFailException("no model selected"), try_number=1, state=None))
    assert "no model selected" in slack()[0]


@pytest.mark.integration
def test_a_run_timeout_is_told_and_a_failed_task_is_not_told_twice(slack: Callable[[], list[str]]) -> None:
    context = {"dag": DAG, "run_id": "manual__1", "ti": Instance(run_id="manual__1", state="skipped"), "task": TASK}
    alert_run_failed({**context, "reason": "task_failure"})
    assert slack() == []
    alert_run_failed({**context, "reason": "timed_out"})
    (text,) = slack()
    assert "*alerting* run failed: timed out" in text
    assert "the run exceeded its time limit of 30 min" in text
    assert "/dags/alerting/runs/manual__1|run>" in text


@pytest.mark.integration
def test_a_long_error_is_cut_and_a_code_fence_cannot_break_out(slack: Callable[[], list[str]]) -> None:
    alert_task_failed(failed(AirflowException("``` @channel " + "x" * 5000)))
    (text,) = slack()
    assert len(text) < 2000
    assert text.count("```") == 2
    assert "(cut, see the log)" in text


@pytest.mark.unit
@pytest.mark.parametrize("host", ["http://127.0.0.1:9/services", None], ids=["away", "no connection"])
def test_slack_being_away_changes_nothing_and_the_alert_stands_in_the_log(
    host: str | None, connection: Callable[..., None], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if host:
        connection("slack_alerts", host=host, password="T1/B1/token")
    else:
        monkeypatch.delenv("AIRFLOW_CONN_SLACK_ALERTS", raising=False)
    with caplog.at_level(logging.WARNING):
        alert_task_failed(failed())
    assert "Slack did not take the alert" in caplog.text
    assert "6 of 12 requests" in caplog.text
    assert "T1/B1/token" not in caplog.text


@pytest.mark.unit
def test_a_context_that_cannot_be_read_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    alert_task_failed({})
    alert_run_failed({"reason": "timed_out"})
    assert "could not be built" in caplog.text


@pytest.mark.integration
def test_the_daily_check_arrives_and_fails_loudly_when_it_cannot(
    slack: Callable[[], list[str]], slack_service: Any, connection: Callable[..., None]
) -> None:
    send_test_message(run_id="manual__1")
    assert "alerts arrive here" in slack()[0]
    connection("slack_alerts", host=slack_service.webhook_base, password="T0/B0/wrong")
    with pytest.raises(AirflowException, match=r"'slack_alerts' does not work.*invalid_token.*403"):
        send_test_message(run_id="manual__1")


@pytest.mark.integration
def test_the_variable_names_the_connection(
    slack: Callable[[], list[str]], slack_service: Any, connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection("slack_alerts", host="http://127.0.0.1:9/services", password="x")
    connection("slack_other", host=slack_service.webhook_base, password=slack_service.secrets.slack_token)
    monkeypatch.setenv("AIRFLOW_VAR_SLACK_FAILURE_CONN", "slack_other")
    alert_task_failed(failed())
    assert len(slack()) == 1


@pytest.mark.integration
@pytest.mark.parametrize(("reason", "alerts"), [("timed_out", 1), ("task_failure", 0)])
def test_airflow_itself_reaches_the_run_alert(slack: Callable[[], list[str]], reason: str, alerts: int) -> None:
    """The dag-processor's own code handles the request that the scheduler makes for a run past its limit."""
    import structlog
    from airflow.callbacks.callback_requests import DagCallbackRequest
    from airflow.dag_processing.dagbag import DagBag
    from airflow.dag_processing.processor import _execute_dag_callbacks

    bag = DagBag(str(Path(__file__).parents[2] / "dags"))
    run_id = "scheduled__2026-03-01T00:15:00+00:00"
    where = {"filepath": "transform.py", "bundle_name": "dags-folder", "bundle_version": None}
    request = DagCallbackRequest(dag_id="dbt_core", run_id=run_id, is_failure_callback=True, msg=reason, **where)
    _execute_dag_callbacks(bag, request, structlog.get_logger())
    texts = slack()
    assert len(texts) == alerts
    if texts:
        assert "*dbt_core* run failed: timed out" in texts[0]
        assert "time limit of 60 min" in texts[0]
        assert "runbook docs/runbooks/dbt.md" in texts[0]
