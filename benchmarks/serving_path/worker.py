"""Work in a process of its own, as Airflow gives one to each task: its seconds and its peak memory."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")
STEPS = ("freshness", "export", "manifest", "fetch", "load", "enrich", "guard", "index", "swap", "vacuum")
CLEAN_UP = ("clean_host", "clean_database")


@dataclass(frozen=True)
class Work:
    """What a piece of work returned, what it took (seconds) and the most memory that its process had (MB)."""

    result: Any
    seconds: float
    peak_mb: float


def forked(work: Callable[[], Any]) -> Work:
    """Run `work` in a child of this process. SystemExit with the child's error if it fails."""
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_report, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        told = ours.recv()
    except EOFError:
        told = f"it ended without a word, exit code {process.exitcode}"
    process.join()
    if isinstance(told, str):
        raise SystemExit(f"{getattr(work, '__name__', work)} failed: {told}")
    return told


def _report(work: Callable[[], Any], pipe: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the log that Airflow's operators write
    try:
        begin = time.perf_counter()
        result = work()
        pipe.send(Work(result, time.perf_counter() - begin, peak_mb()))
    except BaseException as error:
        pipe.send(f"{type(error).__name__}: {error}")


def peak_mb() -> float:
    """The most resident memory that this process has had since it was forked."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@dataclass
class Run:
    """One run of a publishing DAG, and what a task instance of it knows."""

    dag: Any
    run_id: str
    try_number: int = 1
    results: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Work] = field(default_factory=dict)

    @property
    def dag_id(self) -> str:
        return self.dag.dag_id

    @property
    def publication(self) -> Any:
        return self.dag.user_defined_macros["publication"]

    def xcom_pull(self, task_ids: str) -> Any:
        return self.results.get(task_ids)

    def step(self, task_id: str) -> Work:
        """Run one task with its own operator, templates and connections, as a worker does."""
        done = forked(lambda: self._execute(task_id))
        self.results[task_id] = json.loads(json.dumps(done.result))
        self.steps[task_id] = done
        return done

    def clean_up(self) -> None:
        for task_id in CLEAN_UP:
            self.step(task_id)

    def _execute(self, task_id: str) -> Any:
        task = copy.copy(self.dag.get_task(task_id))
        if task_id == "freshness":  # the sensor's one look; whether it waits is not a matter of speed
            return self.publication.freshness(by_hand=True, grace=task.grace).reason
        if hasattr(task, "python_callable"):
            return task.python_callable(ti=self)
        context = {"ti": self, "task_instance": self, "dag": self.dag, "run_id": self.run_id}
        task.render_template_fields(context)
        result = task.execute(context)
        return result if task.do_xcom_push else None
