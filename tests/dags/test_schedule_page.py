"""docs/schedule.md says what the DAGs say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dag_inventory import SCHEDULE_VARIABLES, SCHEDULES
from stir.dag_declaration import REGISTRY
from stir.schedule_page import PAGE, TITLES, page, section

pytestmark = pytest.mark.unit


def test_the_page_in_the_repository_is_the_generated_one(dag_bag: Any) -> None:
    declared = [REGISTRY[dag_id] for dag_id in dag_bag.dags]
    assert PAGE.read_text(encoding="utf-8") == page(declared), "run `make schedule`"


def test_every_dag_stands_on_it_once(dag_bag: Any) -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(dag_bag.dags)
    assert set(listed) >= set(SCHEDULES) | set(SCHEDULE_VARIABLES)
    assert {section(REGISTRY[dag_id]) for dag_id in dag_bag.dags} <= set(TITLES)


def test_every_runbook_that_it_links_to_exists() -> None:
    for link in set(re.findall(r"\((runbooks/[\w-]+\.md)\)", PAGE.read_text(encoding="utf-8"))):
        assert (PAGE.parent / link).is_file(), link
