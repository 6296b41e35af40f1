"""One tier in a process of its own, by the operator that the DAGs use: its log, and in the last line the seconds that
its task takes.

A worker is forked from a process that has Airflow imported, so that import is done before the clock starts; dbt's own
import is part of every task.
"""

from __future__ import annotations

import sys
import time

from stir.dbt_run import dbt_run


def main(tag: str) -> float:
    """Seconds of the task that builds this tag's models."""
    tier = dbt_run(tag)
    begun = time.monotonic()
    tier.execute({"params": {}})
    return time.monotonic() - begun


if __name__ == "__main__":
    print(main(sys.argv[1]))
