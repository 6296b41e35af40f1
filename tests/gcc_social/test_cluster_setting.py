"""One variable moves the project from one server to a cluster of replicas. The local engine has no replicas, so what is
looked at is the SQL."""

from __future__ import annotations

import pytest

from tests.gcc_social.conftest import Warehouse

pytestmark = pytest.mark.integration

ENGINES = "MergeTree()|ReplacingMergeTree(updated_at)|ReplicatedMergeTree()|SharedMergeTree()|Memory"
COMPILE = "{% for engine in '" + ENGINES + "'.split('|') %}{{ replicated(engine) }}|{% endfor %}"


@pytest.mark.parametrize(
    ("cluster", "engines"),
    [
        ("", ENGINES),
        (
            "main",
            "ReplicatedMergeTree()|ReplicatedReplacingMergeTree(updated_at)|ReplicatedMergeTree()|SharedMergeTree()|Memory",
        ),
    ],
)
def test_a_cluster_makes_engines_replicated(warehouse_server: Warehouse, cluster: str, engines: str) -> None:
    with warehouse_server.project.variables(DBT_CLICKHOUSE_CLUSTER=cluster):
        compiled = warehouse_server.project.compiled(COMPILE)
    assert compiled.strip().strip("|") == engines
