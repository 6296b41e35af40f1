"""The end-to-end tests run every DAG; a new one that they leave out is noticed here, in a second."""

from __future__ import annotations

import pytest
from dag_inventory import SCHEDULE_VARIABLES, SCHEDULES

from tests.end_to_end.swept_dags import FLOWS, OTHERS, QUEUES, SYNCS, TIERS

pytestmark = pytest.mark.unit

BY_HAND = {"dbt_manual"}


def test_every_dag_of_the_inventory_has_its_effect_seen() -> None:
    assert {*TIERS, *SYNCS, *FLOWS, *QUEUES, *OTHERS} - BY_HAND == {*SCHEDULES, *SCHEDULE_VARIABLES}
