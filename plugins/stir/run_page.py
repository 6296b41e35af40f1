"""What a run leaves behind: a page of counts as XCom, also when it fails, and the counts as metrics of Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

PAGE_KEY = "return_value"
"""Where a task that succeeds leaves its page."""


@contextmanager
def left_behind(
    context: Mapping[str, Any], page: Callable[[], Mapping[str, Any]], counted: Iterable[str] = ()
) -> Iterator[None]:
    """However the block ends: the counts that `counted` names become metrics. If it ends by an error, the page becomes
    the XCom of the task, which Airflow itself fills only by what a task returns.

    What cannot be left is logged and hides no other error.
    """
    try:
        yield
    except BaseException:
        if instance := context.get("ti"):
            try:
                instance.xcom_push(key=PAGE_KEY, value=dict(page()))
            except Exception:
                log.exception("the counts could not be left as XCom: %s", page())
        raise
    finally:
        emit(context, page(), counted)


def emit(context: Mapping[str, Any], page: Mapping[str, Any], counted: Iterable[str]) -> None:
    """Add the counts of a run to the counters `stir.<DAG>.<count>`; Airflow sends them if its metrics are on. A
    metric that cannot be sent is logged and fails no run.
    """
    dag_id = getattr(context.get("dag"), "dag_id", None)
    try:
        from airflow.sdk.observability import stats

        for name in counted if dag_id else ():
            if page.get(name):
                stats.incr(f"stir.{dag_id}.{name}", page[name])
    except Exception:
        log.warning("the counts could not be sent as metrics", exc_info=True)
