"""Every Airflow Variable that `stir` reads, with its default and meaning. Read at run time only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlatformVariable:
    """One Airflow Variable (`AIRFLOW_VAR_<NAME>` in the environment): its default applies when it is not set."""

    name: str
    default: str
    meaning: str

    def text(self) -> str:
        """Current value."""
        from airflow.sdk import Variable

        return str(Variable.get(self.name, default=self.default))

    def number(self) -> float:
        """Current value as a number. Raises ValueError that names the variable."""
        value = self.text()
        try:
            return float(value)
        except ValueError:
            raise ValueError(
                f"Airflow Variable {self.name!r} holds {value!r}, a number is expected (default {self.default}): "
                f"correct it under Admin > Variables or in AIRFLOW_VAR_{self.name.upper()}"
            ) from None


SLACK_CONNECTION = PlatformVariable(
    "slack_failure_conn", "slack_alerts", "connection id of the Slack webhook for alerts"
)
RUNBOOK_BASE = PlatformVariable("runbook_base_url", "docs/runbooks", "address under which alerts link to the runbooks")
BEAT_PARALLEL = PlatformVariable("beat_max_parallel", "8", "requests to Beat in flight at once, per task")
BEAT_RATE = PlatformVariable("beat_requests_per_second", "20", "requests to Beat started per second, per task")
BEAT_TIMEOUT = PlatformVariable("beat_timeout_seconds", "20", "time limit of one call to Beat")
BEAT_ERROR_SHARE = PlatformVariable(
    "beat_error_share", "0.1", "share of refused or failed requests above which a task fails"
)
PAYOUTS_SINCE = PlatformVariable(
    "payouts_since", "2023-08-30", "users shortlisted up to this moment are never asked a payout for"
)
PROFILE_ITEMS_SINCE = PlatformVariable(
    "profile_items_since", "2023-08-30", "applications of up to this moment never become profile items of a report"
)
HANDLE_CHECKS_SINCE = PlatformVariable(
    "handle_checks_since", "2023-10-04", "submissions of up to this moment are not checked for whose post they are"
)
KEYWORD_JOB_PREFIX = PlatformVariable(
    "keyword_job_prefix", "PROD_KC_", "what stands before the collection id in the job id of a keyword report"
)
CRM_PARALLEL = PlatformVariable("crm_max_parallel", "8", "events to the CRM in flight at once")
CRM_RATE = PlatformVariable("crm_events_per_second", "20", "events to the CRM started per second")
CRM_TIMEOUT = PlatformVariable("crm_timeout_seconds", "20", "time limit of one call to the CRM")
CRM_ERROR_SHARE = PlatformVariable(
    "crm_error_share", "0.1", "share of refused or failed events above which the task fails"
)

VARIABLES: tuple[PlatformVariable, ...] = (
    SLACK_CONNECTION,
    RUNBOOK_BASE,
    BEAT_PARALLEL,
    BEAT_RATE,
    BEAT_TIMEOUT,
    BEAT_ERROR_SHARE,
    PAYOUTS_SINCE,
    PROFILE_ITEMS_SINCE,
    HANDLE_CHECKS_SINCE,
    KEYWORD_JOB_PREFIX,
    CRM_PARALLEL,
    CRM_RATE,
    CRM_TIMEOUT,
    CRM_ERROR_SHARE,
)
