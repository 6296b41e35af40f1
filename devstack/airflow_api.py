"""A thin client of Airflow's public REST API: enough for the demonstration and the end-to-end tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from croniter import croniter

FINISHED = {"success", "failed"}


class AirflowError(Exception):
    """Airflow refused a request or a run did not end in time. The message says which and what to look at."""


@dataclass(frozen=True)
class TaskState:
    """One task of a run: its id, state (None while it waits), seconds spent and number of tries so far.

    `tries_at_most` counts the first try and all retries. `retry_by` is when the next try starts at the latest, where
    the task waits for one.
    """

    task_id: str
    state: str | None
    seconds: float
    tries: int
    tries_at_most: int = 1
    retry_by: datetime | None = None


def longest_retry_delay(task: dict[str, Any], tries: int) -> timedelta:
    """How long a task, as the API describes it, waits at most after its failed try of that number."""
    parts = task["retry_delay"] or {}
    delay = timedelta(parts.get("days", 0), parts.get("seconds", 0), parts.get("microseconds", 0))
    multiplier = task["retry_exponential_backoff"] or 1.0
    return delay if multiplier == 1 else delay * multiplier ** (tries - 1) * 2


class AirflowApi:
    """Session with one Airflow. `url` is the base address without a path, for example http://127.0.0.1:28080."""

    def __init__(self, url: str, user: str, password: str, timeout: float = 30.0) -> None:
        self.url = url
        self._user, self._password = user, password
        self._http = httpx.Client(base_url=url, timeout=timeout)

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _login(self) -> None:
        reply = self._http.post("/auth/token", json={"username": self._user, "password": self._password})
        if reply.status_code >= 400:
            raise AirflowError(f"Airflow at {self.url} refused the login of {self._user!r} (HTTP {reply.status_code}).")
        self._http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    def _call(self, method: str, path: str, **options: Any) -> Any:
        if "Authorization" not in self._http.headers:
            self._login()
        reply = self._http.request(method, f"/api/v2{path}", **options)
        if reply.status_code == 401:  # the token's hour is over
            self._login()
            reply = self._http.request(method, f"/api/v2{path}", **options)
        if reply.status_code >= 400:
            raise AirflowError(f"Airflow answered {method} {path} with HTTP {reply.status_code}: {reply.text[:300]}")
        return reply.json() if reply.content else None

    def dag_ids(self) -> set[str]:
        """Ids of all DAGs that the dag-processor has delivered so far."""
        return {dag["dag_id"] for dag in self._call("GET", "/dags", params={"limit": 500})["dags"]}

    def import_errors(self) -> dict[str, str]:
        """File name to stack trace of every DAG file that does not import."""
        return {e["filename"]: e["stack_trace"] for e in self._call("GET", "/importErrors")["import_errors"]}

    def wait_for_dags(self, wanted: set[str], timeout: float = 120.0) -> None:
        """Return once all `wanted` DAGs are known; AirflowError names the missing ones and the import errors."""
        deadline = time.monotonic() + timeout
        while missing := wanted - self.dag_ids():
            if time.monotonic() > deadline:
                broken = "; ".join(self.import_errors()) or "none"
                raise AirflowError(f"Airflow does not know {sorted(missing)}. Files with import errors: {broken}.")
            time.sleep(1)

    def is_paused(self, dag_id: str) -> bool:
        return self._call("GET", f"/dags/{dag_id}")["is_paused"]

    def set_paused(self, dag_id: str, paused: bool) -> None:
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def add_connection(self, connection: dict[str, Any]) -> None:
        """Create a connection: `connection_id`, `conn_type`, and what else the UI's form has."""
        self._call("POST", "/connections", json=connection)

    def remove_connection(self, connection_id: str) -> None:
        """Delete a connection."""
        self._call("DELETE", f"/connections/{connection_id}")

    def set_pool_slots(self, pool: str, slots: int) -> None:
        """Number of tasks of a pool that may run at once; with 0 nothing new starts, what runs goes on."""
        known = self._call("GET", f"/pools/{pool}")
        body = {"pool": pool, "slots": slots, "include_deferred": known["include_deferred"]}
        self._call("PATCH", f"/pools/{pool}", params={"update_mask": "slots"}, json=body)

    def latest_slot(self, dag_id: str) -> datetime | None:
        """Time at which the DAG's schedule was last due; None without a cron schedule."""
        schedule = self._call("GET", f"/dags/{dag_id}")["timetable_summary"] or ""
        if not croniter.is_valid(schedule):
            return None
        return croniter(schedule, datetime.now(UTC)).get_prev(datetime)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Create a manual run and return its run id.

        It takes the logical date of the slot that was last due, so that the scheduler does not start a second run for
        that slot when the DAG is unpaused; if that slot has had its run, the present time.
        """
        now = datetime.now(UTC)
        run_id = f"manual__{now:%Y-%m-%dT%H:%M:%S.%f}"
        body = {"dag_run_id": run_id, "conf": conf or {}}
        slot = self.latest_slot(dag_id)
        for logical_date in (slot, now):
            if logical_date is None:
                continue
            try:
                self._call("POST", f"/dags/{dag_id}/dagRuns", json={**body, "logical_date": logical_date.isoformat()})
                return run_id
            except AirflowError as error:
                if "HTTP 409" not in str(error) or logical_date is now:
                    raise
        raise AirflowError(f"{dag_id} could not be triggered")

    def run_state(self, dag_id: str, run_id: str) -> str:
        return self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"]

    def unfinished(self) -> set[tuple[str, str]]:
        """DAG id and run id of every run that waits or is at work, in one call however many there are."""
        options = {"state": ["queued", "running"], "limit": 100, "order_by": "-id"}
        found = self._call("GET", "/dags/~/dagRuns", params=options)
        return {(run["dag_id"], run["dag_run_id"]) for run in found["dag_runs"]}

    def runs_since(self, dag_id: str, moment: datetime) -> list[str]:
        """Ids of the DAG's runs that have started since then."""
        options = {"start_date_gte": moment.isoformat(), "limit": 100}
        return [run["dag_run_id"] for run in self._call("GET", f"/dags/{dag_id}/dagRuns", params=options)["dag_runs"]]

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Tasks of a run in the order in which they started; those that have not started come last."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 200})
        rows = sorted(found["task_instances"], key=lambda t: (t["start_date"] or "9", t["task_id"]))
        return [
            TaskState(
                t["task_id"],
                t["state"],
                t["duration"] or 0.0,
                t["try_number"],
                t["max_tries"] + 1,
                self._retry_by(t) if t["state"] == "up_for_retry" and t["end_date"] else None,
            )
            for t in rows
        ]

    def _retry_by(self, instance: dict[str, Any]) -> datetime:
        """With back-off Airflow waits up to twice the delay of this try, and the API does not say how long exactly."""
        task = self._call("GET", f"/dags/{instance['dag_id']}/tasks/{instance['task_id']}")
        return datetime.fromisoformat(instance["end_date"]) + longest_retry_delay(task, instance["try_number"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Value that a task returned or pushed; None when there is none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            return self._call("GET", path, params={"deserialize": "true"})["value"]
        except AirflowError as error:
            if "HTTP 404" in str(error):
                return None
            raise

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Text of a task's log, one event a line."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}")
        content = found["content"]
        if isinstance(content, str):
            return content
        return "\n".join(str(line.get("event", line)) if isinstance(line, dict) else str(line) for line in content)

    def wait(
        self,
        dag_id: str,
        run_id: str,
        timeout: float,
        progress: Callable[[list[TaskState]], None] | None = None,
    ) -> str:
        """Wait until a run has ended and return its state, `success` or `failed`."""
        deadline = time.monotonic() + timeout
        while (state := self.run_state(dag_id, run_id)) not in FINISHED:
            if time.monotonic() > deadline:
                waiting = ", ".join(f"{t.task_id} {t.state or 'not started'}" for t in self.tasks(dag_id, run_id))
                raise AirflowError(f"{dag_id} {run_id} did not end within {timeout:.0f} s: {waiting}.")
            if progress:
                progress(self.tasks(dag_id, run_id))
            time.sleep(0.7)
        return state

    def run(
        self,
        dag_id: str,
        conf: dict[str, Any] | None = None,
        timeout: float = 900.0,
        progress: Callable[[list[TaskState]], None] | None = None,
    ) -> tuple[str, str]:
        """Trigger a DAG, wait for it, and pause it again if it was paused: (run id, end state).

        The run is created while the DAG is still paused: with one active run allowed, unpausing then starts this run
        and no scheduled one beside it.
        """
        was_paused = self.is_paused(dag_id)
        run_id = self.trigger(dag_id, conf)
        self.set_paused(dag_id, False)
        try:
            return run_id, self.wait(dag_id, run_id, timeout, progress)
        finally:
            if was_paused:
                self.set_paused(dag_id, True)
