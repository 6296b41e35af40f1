"""The page of counts that a run leaves behind as XCom, also when it fails: Airflow itself takes only the value that a
task returns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

PAGE_KEY = "return_value"
"""Where a task that succeeds leaves its page."""


@contextmanager
def left_behind(context: Mapping[str, Any], page: Mapping[str, Any]) -> Iterator[None]:
    """Whatever ends the block by an error: the page, as it is by then, becomes the XCom of the task.

    A page that cannot be left is logged and hides no other error.
    """
    try:
        yield
    except BaseException:
        if instance := context.get("ti"):
            try:
                instance.xcom_push(key=PAGE_KEY, value=dict(page))
            except Exception:
                log.exception("the counts could not be left as XCom: %s", page)
        raise
