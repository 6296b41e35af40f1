"""The parsed dbt project, kept between runs: it saves most of a tier's start-up.

dbt works in a copy of the project, made for each run. It compares every file of the copy with the parse result of the
run before, SQL and seeds by checksum. Property files are told apart by their modification time first, and one whose
time has changed is read and validated again, which takes a second for a project of this size. A copy is always new, so
each property file is given a time that follows from its content: equal time, equal file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

PARSED_PROJECT = "partial_parse.msgpack"


def parse_cache() -> Path:
    """Where the parse result lies. Safe to delete at any time."""
    home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
    return Path(home) / "dbt_parse_cache" / PARSED_PROJECT


def recall(project: Path) -> None:
    """Lay the last run's parse result into the copied project, where dbt looks for it. dbt checks versions, variables
    and every file itself. What dbt wrote beside the original when somebody ran it by hand is taken out of the copy.
    """
    for written in ("target", "logs"):
        shutil.rmtree(project / written, ignore_errors=True)
    for suffix in ("yml", "yaml"):
        for path in project.rglob(f"*.{suffix}"):
            _time_by_content(path)
    with suppress(OSError):
        _parsed(project).parent.mkdir(exist_ok=True)
        shutil.copyfile(parse_cache(), _parsed(project))


def keep(project: Path) -> None:
    """Store this run's parse result for the next one, in one step, so that tiers running side by side never tear it."""
    cache = parse_cache()
    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache.parent, delete=False) as copy:
            copy.write(_parsed(project).read_bytes())
        Path(copy.name).replace(cache)
    except OSError as error:
        log.info("the parsed project is not kept, the next run parses everything again: %s", error)


def _parsed(project: Path) -> Path:
    return project / "target" / PARSED_PROJECT


def _time_by_content(path: Path) -> None:
    """Set the file's modification time to a whole second that is, for all practical purposes, its content's alone."""
    seconds = 1 + int.from_bytes(hashlib.sha256(path.read_bytes()).digest()[:4])
    os.utime(path, (seconds, seconds))
