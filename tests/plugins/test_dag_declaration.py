"""What a declaration insists on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import Param
from stir.dag_declaration import REGISTRY, DagDeclaration, Documentation, Kind

pytestmark = pytest.mark.unit
TEXT = Documentation(purpose="Do one thing. And explain\n   it.", inputs="a", outputs="b", on_failure="Look.")


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(REGISTRY, "declared", raising=False)


def declare(**fields: object) -> DagDeclaration:
    return DagDeclaration(
        **{"dag_id": "declared", "kind": Kind.SCRAPE_REQUEST, "schedule": "0 3 * * *", "documentation": TEXT, **fields}
    )


def test_the_dag_carries_limits_owner_and_documentation() -> None:
    declaration = declare(tags=("instagram",))
    try:
        dag = declaration.dag()
    finally:
        REGISTRY.pop("declared", None)
    assert dag.dagrun_timeout == timedelta(minutes=30)
    assert dag.default_args["execution_timeout"] == timedelta(minutes=24)
    assert set(dag.tags) == {"scrape-request", "instagram"}
    assert dag.description == "Do one thing"
    assert "Do one thing. And explain it." in dag.doc_md


def test_a_kind_without_a_default_limit_must_name_one() -> None:
    with pytest.raises(ValueError, match="DAG declared: kind dbt has no default run limit"):
        _ = declare(kind=Kind.DBT).limit


@pytest.mark.parametrize("part", ["purpose", "inputs", "outputs", "on_failure"])
def test_documentation_must_be_complete(part: str) -> None:
    with pytest.raises(ValueError, match=f"needs '{part}'"):
        Documentation(**{"purpose": "a", "inputs": "a", "outputs": "a", "on_failure": "a", part: "  "})


def test_one_id_cannot_be_declared_twice_with_different_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "declared", declare(params={"dry_run": Param(False, type="boolean")}))
    declare(params={"dry_run": Param(False, type="boolean")}).dag()  # the same file parsed again
    with pytest.raises(ValueError, match="declared is declared twice"):
        declare(schedule="0 4 * * *").dag()


def test_a_schedule_variable_is_read_from_the_environment_and_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    declaration = declare(schedule_variable="posts_insights_schedule_interval")
    assert declaration.effective_schedule == "0 3 * * *"
    monkeypatch.setenv("AIRFLOW_VAR_POSTS_INSIGHTS_SCHEDULE_INTERVAL", "30 6 * * *")
    assert declaration.effective_schedule == "30 6 * * *"
    assert "set by Variable `posts_insights_schedule_interval`" in declaration.doc_md()
