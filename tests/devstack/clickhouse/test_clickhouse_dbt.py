"""dbt-clickhouse over both drivers on a small throw-away project: seeds, models of every kind, tests, documentation."""

from __future__ import annotations

import json
import textwrap
import uuid
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

pytestmark = pytest.mark.integration

INCREMENTAL = """\
{{{{ config(materialized='incremental', incremental_strategy='{strategy}', order_by='id', {extra}) }}}}
select id, toDate('2025-01-01') + id as day, handle, '{{{{ invocation_id }}}}' as run from {{{{ ref('handles') }}}}
{{% if is_incremental() %}} where id >= 2 {{% endif %}}
"""
FILES = {
    "dbt_project.yml": """\
        name: tiny
        version: "1.0"
        profile: tiny
        models: {tiny: {+materialized: table}}
        flags: {send_anonymous_usage_stats: false}
        """,
    "profiles.yml": """\
        tiny:
          outputs:
            native: &common
              type: clickhouse
              driver: native
              host: 127.0.0.1
              port: "{{ env_var('TINY_PORT') | int }}"
              user: stir
              password: "{{ env_var('DBT_ENV_SECRET_TINY') }}"
              schema: "{{ env_var('TINY_SCHEMA') }}"
              threads: 3
            http:
              <<: *common
              driver: http
        """,
    "seeds/handles.csv": 'id,handle\n1,plain\n2,"comma, ""quoted"""\n3,"emoji 😀\n\nand lines"\n',
    "models/accounts.sql": "select id, handle, toDateTime('2025-01-01', 'UTC') as at from {{ ref('handles') }}\n",
    "models/counted.sql": "{{ config(materialized='view') }}\nselect count() as n from {{ ref('accounts') }}\n",
    "models/contracted.sql": (
        "{{ config(contract={'enforced': true}) }}\nselect toUInt64(id) as id, handle from {{ ref('handles') }}\n"
    ),
    "models/appended.sql": INCREMENTAL.format(strategy="append", extra=""),
    "models/replaced.sql": INCREMENTAL.format(strategy="delete+insert", extra="unique_key='id'"),
    "models/overwritten.sql": INCREMENTAL.format(strategy="insert_overwrite", extra="partition_by='day'"),
    "models/schema.yml": """\
        models:
          - name: accounts
            description: "an account's row"
            config: {persist_docs: {relation: true, columns: true}}
            columns:
              - name: id
                description: its id
                data_tests: [unique, not_null]
              - name: handle
                data_tests: [{accepted_values: {arguments: {values: [none of them]}, config: {severity: warn}}}]
          - name: contracted
            columns: [{name: id, data_type: UInt64}, {name: handle, data_type: String}]
        unit_tests:
          - name: counts_rows
            model: counted
            given: [{input: ref('accounts'), rows: [{id: 1}, {id: 2}]}]
            expect: {rows: [{n: 2}]}
        """,
}


@pytest.fixture(params=["native", "http"])
def dbt(request, clickhouse_server, http, tmp_path: Path, monkeypatch):
    """Function (*arguments) -> result of dbt on the small project over one driver; its schema is `dbt.schema`."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(content))
    port = clickhouse_server.native_port if request.param == "native" else clickhouse_server.http_port
    schema = f"tiny_{uuid.uuid4().hex[:8]}"  # dbt remembers per process which schemas exist
    monkeypatch.setenv("TINY_PORT", str(port))
    monkeypatch.setenv("TINY_SCHEMA", schema)
    monkeypatch.setenv("DBT_ENV_SECRET_TINY", clickhouse_server.password)
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "0")

    def run(*arguments: str):
        folder = str(tmp_path)
        options = ["--project-dir", folder, "--profiles-dir", folder, "--target", request.param, "--quiet"]
        return dbtRunner().invoke([*arguments, *options])

    run.schema = schema
    run.folder = tmp_path
    yield run
    http.command(f"DROP DATABASE IF EXISTS {schema}")


def test_dbt(dbt, http) -> None:
    assert dbt("debug").success
    first = dbt("build")
    assert first.success, [(result.node.name, result.message) for result in first.result]
    statuses = {result.node.name: str(result.status) for result in first.result}
    assert statuses["counts_rows"] == "pass"
    assert statuses["unique_accounts_id"] == "pass"
    assert [name for name, status in statuses.items() if status == "warn"] != []
    second = dbt("run")
    assert second.success, [(result.node.name, result.message) for result in second.result]

    def rows(sql: str):
        return http.query(sql.replace("tiny.", f"{dbt.schema}.")).result_rows

    assert rows("SELECT id, handle FROM tiny.accounts ORDER BY id") == [
        (1, "plain"),
        (2, 'comma, "quoted"'),
        (3, "emoji 😀\n\nand lines"),
    ]
    assert rows("SELECT n FROM tiny.counted") == [(3,)]
    ids_and_runs = "SELECT groupArray(id), uniqExact(run) FROM (SELECT * FROM tiny.{} ORDER BY id)"
    assert rows(ids_and_runs.format("appended")) == [([1, 2, 2, 3, 3], 2)]
    assert rows(ids_and_runs.format("replaced")) == [([1, 2, 3], 2)]
    assert rows(ids_and_runs.format("overwritten")) == [([1, 2, 3], 2)]
    [(comment,)] = rows(f"SELECT comment FROM system.tables WHERE database = '{dbt.schema}' AND name = 'accounts'")
    assert comment == "an account's row"
    assert rows(f"SELECT count() FROM system.tables WHERE database = '{dbt.schema}' AND name LIKE '%\\_\\_dbt%'") == [
        (0,)
    ]

    assert dbt("docs", "generate").success
    catalog = json.loads((dbt.folder / "target" / "catalog.json").read_text())
    assert catalog["nodes"]["model.tiny.accounts"]["columns"]["at"]["type"] == "DateTime('UTC')"


def test_a_broken_contract_and_a_failing_model_are_reported(dbt) -> None:
    (dbt.folder / "models" / "contracted.sql").write_text(
        "{{ config(contract={'enforced': true}) }}\nselect toString(id) as id, handle from {{ ref('handles') }}\n"
    )
    (dbt.folder / "models" / "accounts.sql").write_text(
        "select throwIf(id = 2, 'bad row') as id from {{ ref('handles') }}\n"
    )
    assert dbt("seed").success
    result = dbt("run", "--select", "contracted", "accounts")
    assert not result.success
    messages = {entry.node.name: entry.message for entry in result.result}
    assert "contract" in messages["contracted"]
    assert "bad row" in messages["accounts"] and "Code: 395" in messages["accounts"]
