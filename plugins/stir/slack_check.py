"""Daily proof that alerts would arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def send_test_message(run_id: str, **_: Any) -> None:
    """Send one message through the alerts' own connection. Raises AirflowException with Slack's answer when it
    fails.
    """
    from airflow.sdk.exceptions import AirflowException

    from stir.alerts import post
    from stir.platform_variables import SLACK_CONNECTION

    connection = SLACK_CONNECTION.text()
    try:
        post(f":white_check_mark: alerts arrive here ({datetime.now(UTC):%Y-%m-%d %H:%M} UTC, run `{run_id}`)")
    except Exception as error:
        raise AirflowException(
            f"Slack connection {connection!r} does not work, so no alert arrives: {type(error).__name__}: {error}"
        ) from error
