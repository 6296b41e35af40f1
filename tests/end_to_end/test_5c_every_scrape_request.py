"""Every scrape-request DAG asks Beat about whom its declaration chooses, and nobody else, with the declared params."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

import pytest
from dag_sweep import Sweep, described, succeeded
from due_requests import Asked, candidates, entities
from running_platform import RunningPlatform
from swept_dags import FLOWS

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]

PICTURES = "asset_upload_flow"
"""Beat asks itself for more of these: what it scrapes has pictures that it copies."""
MAY_BE_IDLE = "sync_insta_collection_stories.sql"
"""Of whom the stories are: asked for only when the platform does not know their figures. Its stories are due."""
WINDOWED = "refresh_orders_by_store"
"""Its params name a window of time that moves on by itself."""


@pytest.mark.parametrize("dag_id", FLOWS)
def test_a_scrape_request_reaches_beat(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    assert (
        outcome.total("sent") > 0
        or forestalled(platform, sweep, FLOWS[dag_id])
        or asked_for_an_older_slot(platform, dag_id, outcome.run_id)
    ), described(platform, dag_id, outcome)
    assert outcome.total("refused") == outcome.total("failed") == outcome.total("not_tried") == 0


def test_beat_got_every_request_that_was_sent(platform: RunningPlatform, sweep: Sweep) -> None:
    """Flow by flow; the profiles behind new stories are asked for by the same DAG as the stories."""
    sent: Counter[str] = Counter()
    for dag_id, flow in FLOWS.items():
        for task_id, page in sweep.outcomes[dag_id].returned.items():
            sent["refresh_profile_by_handle" if task_id == "refresh_profiles" else flow] += page["sent"]
    arrived = Counter(request["flow"] for request in platform.beat_requests(sweep.newest_request))
    assert +(sent - arrived) == Counter(), arrived


def test_the_sources_are_those_of_the_flows(sweep: Sweep) -> None:
    assert {asked.source.flow for asked in sweep.asked} == {*FLOWS.values(), "refresh_profile_by_handle"}
    assert {asked.source.candidates.name for asked in sweep.asked if not asked.due} <= {MAY_BE_IDLE}


@pytest.mark.parametrize("flow", sorted({*FLOWS.values(), "refresh_profile_by_handle"}))
def test_beat_is_asked_about_whom_the_declarations_choose(platform: RunningPlatform, sweep: Sweep, flow: str) -> None:
    asking = [asked for asked in sweep.asked if asked.source.flow == flow]
    arrived = requests_of(platform, sweep, flow)
    seen = {id(asked): entities(asked.source, fitting(asked, arrived)) for asked in asking}
    now = {id(asked): candidates(platform, asked.source) for asked in asking}
    for asked in asking:
        missing = asked.missing(seen[id(asked)], now[id(asked)])
        assert missing == set(), f"{asked.source.candidates.name}: due and not asked for"
    if not flow.startswith(PICTURES):
        explained = {entity for asked in asking for entity in asked.explains(now[id(asked)])}
        asked_for = {entity for found in seen.values() for entity in found}
        assert asked_for - explained == set(), "asked for, and neither due nor new"


@pytest.mark.parametrize("flow", sorted({*FLOWS.values(), "refresh_profile_by_handle"}))
def test_params_are_the_declared_ones(platform: RunningPlatform, sweep: Sweep, flow: str) -> None:
    """Each request has the params of one of the flow's sources; one about an entity that was due is it to the letter,
    unless events of the sweep tell something newer.
    """
    asking = [asked for asked in sweep.asked if asked.source.flow == flow]
    arrived = requests_of(platform, sweep, flow)
    shapes = {frozenset(params) for asked in asking for params in asked.params}
    if not flow.startswith(PICTURES):
        assert {frozenset(params) for params in arrived} <= shapes
    texts = {json.dumps(params, sort_keys=True) for params in arrived}
    if flow == WINDOWED or any(asked.source.batching or "_e." in asked.source.candidate_sql() for asked in asking):
        return
    due = {json.dumps(params, sort_keys=True) for asked in asking for params in asked.params}
    about_due = {entity for asked in asking for entity in asked.due}
    foreign = {
        text for text in texts - due if any(entities(asked.source, [json.loads(text)]) & about_due for asked in asking)
    }
    assert foreign == set()


def forestalled(platform: RunningPlatform, sweep: Sweep, flow: str) -> bool:
    """Whether flows that do the same work have asked about everybody that was due: all DAGs run at once."""
    asking = [asked for asked in sweep.asked if asked.source.flow == flow]
    return all(
        asked.due
        <= {
            entity
            for other in asked.source.counted_flows
            for entity in entities(asked.source, requests_of(platform, sweep, other))
        }
        for asked in asking
    ) and any(asked.due for asked in asking)


def asked_for_an_older_slot(platform: RunningPlatform, dag_id: str, run_id: str) -> bool:
    """Whether Airflow has run the DAG for an older slot as well when it was unpaused, and that run has asked."""
    begun = datetime.fromisoformat(f"{run_id.removeprefix('manual__')}+00:00")
    others = [run for run in platform.api.runs_since(dag_id, begun) if run != run_id]
    returned = [
        platform.api.xcom(dag_id, run, task.task_id) for run in others for task in platform.api.tasks(dag_id, run)
    ]
    return any(isinstance(page, dict) and page.get("sent", 0) > 0 for page in returned)


def requests_of(platform: RunningPlatform, sweep: Sweep, flow: str) -> list[dict]:
    """Params of every request of a flow that came to Beat since the sweep began."""
    return [request["params"] for request in platform.beat_requests(sweep.newest_request) if request["flow"] == flow]


def fitting(asked: Asked, arrived: list[dict]) -> list[dict]:
    """The requests that have the params of this source, and not those of another one of the flow."""
    shapes = {frozenset(params) for params in asked.params}
    return [params for params in arrived if frozenset(params) in shapes]
