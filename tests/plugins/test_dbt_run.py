"""The dbt wrapper with a small project on the local ClickHouse: dbt itself, in process, as a task runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from stir.dbt_manual import DbtManualOperator
from stir.dbt_run import DbtTierOperator, dbt_run
from stir.dbt_summary import NodeResult, Summary

PROJECT = """
name: tiny
version: 1.0.0
config-version: 2
profile: gcc_warehouse
flags: {send_anonymous_usage_stats: false}
models: {tiny: {+materialized: table, +engine: MergeTree(), +order_by: tuple(), +persist_docs: {relation: true}}}
"""

MODELS = {
    "alpha": "{{ config(tags=['hourly']) }} select number as id from numbers(3)",
    "beta": "{{ config(tags=['hourly'], materialized='view') }} select count() as rows from {{ ref('alpha') }}",
    "old": "{{ config(tags=['hourly', 'deprecated']) }} select 1 as id",
    "central": "{{ config(tags=['core', 'hourly']) }} select 1 as id",
    "grown": "{{ config(tags=['grown'], materialized='incremental', incremental_strategy='append') }}"
    " select now64(6) as at",
    "wrong": "{{ config(tags=['broken']) }} select no_such_column from numbers(1)",
    "after_wrong": "{{ config(tags=['broken']) }} select * from {{ ref('wrong') }}",
    "reader": "{{ config(tags=['reading']) }} select * from {{ ref('names') }}",
    "listener": "{{ config(tags=['listening']) }} select * from {{ ref('names') }}",
    "right": "{{ config(tags=['broken']) }} select 1 as id",
    # Rows are committed a hundred at a time; the one with the number BREAK_AT fails.
    "long": """{{ config(tags=['long'], query_settings=small_blocks()) }} {{ numbered_rows() }}""",
    "growing": """
        {{
            config(
                tags=['growing'], materialized='incremental', incremental_strategy='append',
                engine='ReplacingMergeTree()', order_by='id', partition_by='id % 3', query_settings=small_blocks(),
            )
        }}
        {{ numbered_rows() }} {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
    """,
}
MACROS = """
{% macro small_blocks() %}
    {{ return({"max_block_size": 100, "min_insert_block_size_rows": 100, "min_insert_block_size_bytes": 0}) }}
{% endmacro %}
{% macro numbered_rows() %}
    select {{ env_var("FIRST_COLUMNS", "") }} number as id, throwIf(number = {{ env_var("BREAK_AT", "-1") }}) as broken
    from numbers({{ env_var("ROWS", "500") }})
{% endmacro %}
"""

pytestmark = pytest.mark.integration


@pytest.fixture
def project(
    tmp_path: Path, clickhouse: Any, clickhouse_service: Any, connection: Callable[..., None], monkeypatch: Any
) -> Any:
    """The project in its own folder, the platform's profiles.yml, an empty database `dbt`; returns a client."""
    profiles = Path(__file__).parents[2] / "gcc_social" / "profiles.yml"
    (tmp_path / "dbt_project.yml").write_text(PROJECT)
    (tmp_path / "profiles.yml").write_text(profiles.read_text())
    shutil.copytree(profiles.with_name("macros") / "materializations", tmp_path / "macros" / "materializations")
    (tmp_path / "models").mkdir()
    for name, sql in MODELS.items():
        (tmp_path / "models" / f"{name}.sql").write_text(sql)
    (tmp_path / "macros" / "numbered_rows.sql").write_text(MACROS)
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "names.csv").write_text("id,name\n1,Comedy\n2,Music\n")
    at = clickhouse_service.endpoint
    for name, value in {
        "DBT_PROJECT_DIR": str(tmp_path),
        "DBT_CLICKHOUSE_HOST": at.host,
        "DBT_CLICKHOUSE_PORT": str(at.native_port),
        "DBT_CLICKHOUSE_USER": at.user,
        "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": at.password,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.delenv("DBT_TARGET", raising=False)
    connection("fs_default", conn_type="fs")
    clickhouse.execute("drop database if exists dbt sync")
    clickhouse.execute("create database dbt")
    return clickhouse


def tables(client: Any) -> set[str]:
    return {row[0] for row in client.execute("select name from system.tables where database = 'dbt'")}


def run(tag: str, **params: Any) -> dict[str, Any]:
    return dbt_run(tag).execute({"params": params})


def test_a_tier_builds_its_tag_without_deprecated_models_and_those_of_core(project: Any) -> None:
    page = run("hourly")
    assert tables(project) == {"alpha", "beta"}
    assert project.execute("select rows from dbt.beta") == [(3,)]
    assert (page["models"], page["counts"], page["failed"]) == (2, {"success": 2}, [])
    assert set(page["slowest"]) == {"alpha", "beta"}
    assert len(json.dumps(page)) < 1000


def test_a_failed_model_is_named_with_its_reason_and_the_rest_is_built(project: Any, left: Any) -> None:
    with pytest.raises(AirflowException, match=r"1 of 3 models failed, 1 skipped. wrong: .*no_such_column"):
        dbt_run("broken").execute({"params": {}, "ti": left})
    assert (left.page["models"], [node["model"] for node in left.page["failed"]]) == (3, ["wrong"])
    assert "right" in tables(project)


def test_a_tag_without_models_fails_at_once_and_for_good(project: Any) -> None:
    with pytest.raises(
        AirflowFailException, match=r"dbt selected no model \(select tag:weekly .*, exclude tag:deprecated"
    ):
        run("weekly")


def test_leftovers_of_a_killed_run_go_first_and_those_of_other_tiers_stay(project: Any) -> None:
    table = "create table dbt.{} (id Int64) engine = MergeTree order by id"
    mine = ["alpha__dbt_tmp", "alpha__dbt_backup", "beta__dbt_tmp", "alpha__dbt_new_data_0b1c"]
    others = ["central__dbt_tmp", "stranger__dbt_backup", "__dbt_exchange_test_0_fresh"]
    for name in [*mine, *others]:
        project.execute(table.format(f"`{name}`"))
    run("hourly")
    assert tables(project) == {"alpha", "beta", *others}


@pytest.mark.parametrize("tag", ["long", "growing"])
def test_a_first_build_that_breaks_off_leaves_nothing_to_see(project: Any, monkeypatch: Any, tag: str) -> None:
    monkeypatch.setenv("BREAK_AT", "350")
    with pytest.raises(AirflowException, match=r"1 of 1 models failed"):
        run(tag)
    assert tables(project) == {f"{tag}__dbt_tmp"}
    monkeypatch.delenv("BREAK_AT")
    run(tag)
    assert tables(project) == {tag}
    assert project.execute(f"select count(), uniqExact(id) from dbt.{tag}") == [(500, 500)]


def test_rows_of_an_addition_that_breaks_off_arrive_with_the_next_run(project: Any, monkeypatch: Any) -> None:
    """The blocks that were committed hold the newest id, by which the model finds what is new."""
    run("growing")
    monkeypatch.setenv("ROWS", "1000")
    monkeypatch.setenv("BREAK_AT", "850")
    with pytest.raises(AirflowException, match=r"1 of 1 models failed"):
        run("growing")
    assert project.execute("select count(), max(id) from dbt.growing") == [(500, 499)]
    monkeypatch.delenv("BREAK_AT")
    run("growing")
    assert tables(project) == {"growing"}
    assert project.execute("select count(), uniqExact(id) from dbt.growing") == [(1000, 1000)]


def test_an_addition_that_was_cut_between_two_partitions_is_completed(project: Any, monkeypatch: Any) -> None:
    run("growing")
    project.execute("create table dbt.growing__dbt_additions as dbt.growing")
    project.execute("insert into dbt.growing__dbt_additions select number, 0 from numbers(500, 300)")
    project.execute("alter table dbt.growing attach partition id '2' from dbt.growing__dbt_additions")
    monkeypatch.setenv("ROWS", "1000")
    run("growing")
    assert tables(project) == {"growing"}
    assert project.execute("select count(), min(id), max(id) from dbt.growing final") == [(1000, 0, 999)]


def test_columns_are_added_by_name_and_others_are_refused(project: Any, monkeypatch: Any) -> None:
    run("growing")
    monkeypatch.setenv("ROWS", "510")
    monkeypatch.setenv("FIRST_COLUMNS", "toInt32(7) as extra,")
    differs = r"Only in the table: none; only in the model: extra Int32.*--full-refresh"
    with pytest.raises(AirflowException, match=differs):
        run("growing")
    assert project.execute("select count() from dbt.growing") == [(500,)]
    project.execute("alter table dbt.growing add column extra Int32")
    run("growing")
    assert project.execute("select max(id), count(), sum(extra) from dbt.growing") == [(509, 510, 70)]


def test_seeds_that_a_tier_reads_are_loaded_first_and_again_only_when_the_file_changes(project: Any) -> None:
    page = run("reading")
    assert (page["models"], page["seeds"], page["counts"]) == (1, 1, {"success": 2})
    assert project.execute("select name from dbt.reader order by id") == [("Comedy",), ("Music",)]
    parts = "select name, modification_time from system.parts where database = 'dbt' and table = 'names' and active"
    before = project.execute(parts)
    run("reading")
    assert project.execute(parts) == before
    Path(dbt_run("reading").project_dir, "seeds", "names.csv").write_text("id,name\n1,Satire\n")
    run("reading")
    assert project.execute("select name from dbt.reader") == [("Satire",)]
    run("hourly")
    assert "names" in tables(project)


TIER = "import sys; from stir.dbt_run import dbt_run; print(dbt_run(sys.argv[1]).execute({'params': {}})['counts'])"


def test_two_tiers_that_load_one_seed_at_the_same_moment_leave_each_row_once(project: Any) -> None:
    """And whoever reads it meanwhile sees all of the old or all of the new."""
    file = Path(dbt_run("reading").project_dir, "seeds", "names.csv")
    full = {}
    for turn in (1, 2):  # the table is missing, then it is of another file
        full[turn] = 5_000 * turn
        file.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(full[turn])))
        tiers = [
            subprocess.Popen(
                [sys.executable, "-c", TIER, tag], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "plugins")},
            )
            for tag in ("reading", "listening")
        ]  # fmt: skip
        seen = set()
        while any(tier.poll() is None for tier in tiers):
            if "names" in tables(project):
                seen.add(project.execute("select count(), uniqExact(id) from dbt.names")[0])
            time.sleep(0.01)
        for tier in tiers:
            output = tier.communicate()[0]
            assert tier.returncode == 0, output[-3000:]
            assert "{'success': 2}" in output
        assert seen <= {(rows, rows) for rows in full.values()}
        assert project.execute("select count(), uniqExact(id) from dbt.names") == [(full[turn], full[turn])]
        for model in ("reader", "listener"):
            assert project.execute(f"select count() from dbt.{model}") == [(full[turn],)]
    assert tables(project) == {"names", "reader", "listener"}
    parts = "select name, modification_time from system.parts where database = 'dbt' and table = 'names' and active"
    before = project.execute(parts)
    run("reading")
    assert project.execute(parts) == before, "the one that was put in place says which file it is from"


def test_a_tier_loads_no_seed_that_it_does_not_read(project: Any) -> None:
    run("hourly")
    assert "names" not in tables(project)


def test_property_files_are_read_again_when_their_content_changes_and_only_then(project: Any, monkeypatch: Any) -> None:
    import dbt.parser.read_files as reading

    read: list[str] = []

    def noted(source_file: Any, validate: bool = False) -> Any:
        read.append(Path(source_file.path.original_file_path).name)
        return yaml_from_file(source_file=source_file, validate=validate)

    yaml_from_file = reading.yaml_from_file
    monkeypatch.setattr(reading, "yaml_from_file", noted)
    properties = Path(dbt_run("hourly").project_dir, "models", "tiny.yml")
    text = "models: [{name: alpha, description: FIRST}]"
    properties.write_text(text)
    described = "select comment from system.tables where database = 'dbt' and name = 'alpha'"
    run("hourly")
    assert project.execute(described) == [("FIRST",)]
    first = properties.stat()
    os.utime(properties, (first.st_atime + 60, first.st_mtime + 60))  # checked out or copied anew
    run("hourly")
    assert read.count("tiny.yml") == 1
    properties.write_text(text.replace("FIRST", "LATER"))
    os.utime(properties, (first.st_atime, first.st_mtime))  # a build that gives every file one time
    run("hourly")
    assert read.count("tiny.yml") == 2
    assert project.execute(described) == [("LATER",)]


def test_what_dbt_wrote_when_run_by_hand_is_in_nobodys_way(project: Any) -> None:
    """`dbt build` names folders after property files: target/run/<project>/models/<model>.yml/unique_<model>.sql"""
    of_a_test = Path(dbt_run("hourly").project_dir, "target", "run", "tiny", "models", "alpha.yml")
    of_a_test.mkdir(parents=True)
    (of_a_test / "unique_alpha_id.sql").write_text("select 1")
    assert run("hourly")["counts"] == {"success": 2}
    assert of_a_test.is_dir()


def test_a_full_refresh_is_a_matter_of_the_trigger_form(project: Any) -> None:
    run("grown")
    run("grown", full_refresh=False)
    assert project.execute("select count() from dbt.grown") == [(2,)]
    run("grown", full_refresh=True)
    assert project.execute("select count() from dbt.grown") == [(1,)]


def test_a_warehouse_that_is_away_is_said_in_words(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_CLICKHOUSE_PORT", "9")
    with pytest.raises(AirflowException, match=r"the warehouse does not answer, so dbt built nothing: .*127.0.0.1"):
        run("hourly")


def test_a_project_that_does_not_compile_is_said_in_words(project: Any) -> None:
    operator = dbt_run("hourly")
    Path(operator.project_dir, "models", "alpha.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(AirflowException, match=r"dbt could not run: .*nowhere"):
        operator.execute({"params": {}})


def test_no_field_that_the_ui_renders_holds_the_password(project: Any, clickhouse_service: Any) -> None:
    operator = dbt_run("hourly")
    shown = {name: str(getattr(operator, name)) for name in DbtTierOperator.template_fields}
    assert clickhouse_service.endpoint.password not in json.dumps(shown)


class OtherTask:
    """The task instance as far as a task by hand asks it: what the other task has left."""

    def __init__(self, page: dict[str, Any] | None) -> None:
        self.page = page

    def xcom_pull(self, task_ids: str) -> dict[str, Any] | None:
        assert task_ids == "frequent"
        return self.page


def by_hand(select: str, *tags: str, other: dict[str, Any] | None = None, **form: Any) -> dict[str, Any]:
    operator = DbtManualOperator(task_id="by_hand", tags=tags, instead="frequent")
    params = {"select": select, "exclude": "", "vars": {}, "full_refresh": False, **form}
    return operator.execute({"params": params, "ti": OtherTask(other)})


def test_by_hand_the_chosen_models_of_the_given_tiers_are_built(project: Any) -> None:
    assert by_hand("+beta old grown", "hourly", "deprecated")["models"] == 3
    assert tables(project) == {"alpha", "beta", "old"}
    by_hand("alpha+", "hourly", exclude="alpha")
    assert by_hand("reader", "reading")["counts"] == {"success": 2}, "the seed that it reads comes with it"


def test_by_hand_incremental_models_can_be_rebuilt(project: Any) -> None:
    by_hand("grown", "grown")
    by_hand("grown", "grown")
    assert project.execute("select count() from dbt.grown") == [(2,)]
    by_hand("grown", "grown", full_refresh=True)
    assert project.execute("select count() from dbt.grown") == [(1,)]


def test_by_hand_variables_reach_the_models(project: Any) -> None:
    Path(dbt_run("hourly").project_dir, "models", "alpha.sql").write_text(
        "{{ config(tags=['hourly']) }} select {{ var('rows', 1) }} as id"
    )
    by_hand("alpha", "hourly", vars={"rows": 42})
    assert project.execute("select id from dbt.alpha") == [(42,)]


def test_by_hand_a_part_without_models_is_skipped_and_a_selection_without_any_fails(project: Any) -> None:
    with pytest.raises(AirflowSkipException, match="no selected model is tagged hourly"):
        by_hand("reader", "hourly", other={"models": 2})
    with pytest.raises(AirflowFailException, match=r"the selection 'reeder' without '' matches no model"):
        by_hand("reeder", "hourly")


@pytest.mark.parametrize(
    ("table", "age", "leftover"),
    [
        ("alpha__dbt_tmp", 0, True),
        ("alpha_local__dbt_backup", 0, True),
        ("alpha__dbt_additions", 9000, False),
        ("alphabet__dbt_tmp", 0, False),
        ("__dbt_exchange_test_0_abc", 30, False),
        ("__dbt_exchange_test_0_abc", 4000, True),
        ("names__dbt_loading_0123456789ab", 30, False),
        ("names__dbt_loading_0123456789ab", 4000, True),
    ],
)
def test_what_counts_as_a_leftover(table: str, age: int, leftover: bool) -> None:
    from stir.dbt_process import is_leftover

    assert is_leftover(table, age, {"alpha"}) is leftover


def test_the_log_table_puts_failures_first_then_the_slowest() -> None:
    models = (
        NodeResult("fast", "success", 0.1, "OK"),
        NodeResult("slow", "success", 9.0, "OK"),
        NodeResult("bad", "error", 0.2, "Code 47"),
    )
    summary = Summary(models, 10.0)
    assert [line.split()[0] for line in summary.table.splitlines()] == ["bad", "slow", "fast"]
    assert summary.headline == "3 models in 10.0 s: 2 success, 1 error"
