"""Rules that every model keeps, read off dbt's manifest. One test per rule; each names the models that break it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2] / "gcc_social"

PERIOD_MINUTES = {
    "recent_scl": 5,
    "core": 15,
    "post_ranker_partial": 15,
    "collections": 30,
    "staging_collections": 30,
    "account_tracker_stats": 60,
    "hourly": 120,
    "post_ranker": 300,
    "daily": 1440,
    "gcc_orders": 1440,
    "weekly": 10080,
}
"""Scheduling tags, each with the period of the DAG that runs it."""

UNSCHEDULED = "deprecated"
TWO_TAGS = {"mart_time_series"}
"""Built incrementally by core and refreshed by daily."""

DATABASES = (
    "_e|_stage_e|beat_replica|coffee_replica|coffee_stage|campaign_replica|identity_replica|vidooly|ds|dbt|default"
)

Models = Callable[..., list[dict]]

pytestmark = pytest.mark.unit


def scheduling_tags(model: dict) -> set[str]:
    return set(model["tags"]) & {*PERIOD_MINUTES, UNSCHEDULED}


def period(model: dict) -> int:
    return min((PERIOD_MINUTES.get(tag, 10**9) for tag in scheduling_tags(model)), default=10**9)


def sql_texts(manifest: dict) -> dict[str, str]:
    """SQL of every model and of every macro of this project, by name."""
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    macros = [macro for macro in manifest["macros"].values() if macro["package_name"] == "gcc_social"]
    return {node["name"]: node["raw_code"] for node in nodes} | {macro["name"]: macro["macro_sql"] for macro in macros}


def test_every_table_says_why_it_is_sorted_as_it_is(models: Models) -> None:
    tables = [model for model in models() if model["config"]["materialized"] in ("table", "incremental")]
    said = re.compile(r"\b[Ss]orted (by|like|as)\b")
    assert [table["name"] for table in tables if not said.search(table["description"])] == []


def test_project_has_models(models: Models) -> None:
    assert len(models()) >= 30


def test_each_model_has_one_scheduling_tag(models: Models) -> None:
    wrong = {
        model["name"]: sorted(scheduling_tags(model))
        for model in models()
        if len(scheduling_tags(model)) != 1 and model["name"] not in TWO_TAGS
    }
    assert not wrong


def test_each_model_lands_in_the_one_schema(models: Models) -> None:
    assert {model["schema"] for model in models()} == {"dbt"}


def test_each_description_begins_with_the_grain(models: Models) -> None:
    wrong = [model["name"] for model in models() if not model["description"].lstrip().startswith("One row per ")]
    assert not wrong


def test_each_model_has_a_test_of_its_grain(manifest: dict, models: Models) -> None:
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node["test_metadata"]
        and node["test_metadata"]["name"] in {"unique_combination_of_columns", "unique"}
        and node["config"]["severity"].lower() == "error"
    }
    assert not [model["name"] for model in models() if model["unique_id"] not in tested]


def test_each_documented_column_has_a_description(models: Models) -> None:
    wrong = {
        model["name"]: [name for name, column in model["columns"].items() if not column["description"]]
        for model in models()
    }
    assert not {name: columns for name, columns in wrong.items() if columns}
    assert not [model["name"] for model in models() if not model["columns"]]


def test_each_column_of_a_mart_has_a_type(models: Models) -> None:
    wrong = {
        model["name"]: [name for name, column in model["columns"].items() if not column["data_type"]]
        for model in models()
        if model["name"].startswith("mart_")
    }
    assert not {name: columns for name, columns in wrong.items() if columns}


def test_no_database_stands_in_the_sql(manifest: dict) -> None:
    """Only source() and ref() name tables, so that lineage is complete and a name is changed in one place."""
    literal = re.compile(rf"(?<![\w'\"./])(?:`)?(?:{DATABASES})`?\.`?[a-z]\w+")
    texts = sql_texts(manifest)
    assert not {name: literal.findall(text) for name, text in texts.items() if literal.search(text)}


def test_the_clock_is_read_in_one_place(manifest: dict) -> None:
    clock = re.compile(r"\b(now|now64|today|yesterday|current_timestamp|utcTimestamp)\s*\(", re.IGNORECASE)
    without_comments = re.compile(r"{#.*?#}|--[^\n]*", re.DOTALL)
    texts = sql_texts(manifest)
    assert not [name for name, text in texts.items() if clock.search(without_comments.sub("", text))]


def test_no_model_samples_or_draws(manifest: dict) -> None:
    chance = re.compile(
        r"\b(rand\w*|generateUUID\w*|quantile(?!Exact)\w*|\w*median|uniq(Combined\w*|HLL\w*|Theta\w*)?|any|anyLast|groupArraySample)\s*\("
    )
    assert not {
        name: [found[0] for found in chance.findall(text)]
        for name, text in sql_texts(manifest).items()
        if chance.search(text)
    }


def test_no_model_needs_one_that_a_slower_tier_builds(manifest: dict, models: Models) -> None:
    """A model that may read older data than its own tier's says so: meta.stale_inputs lists just those inputs, and it
    reads them by once_built(), so that it does not fail before the slower tier's first run."""
    by_id = {model["unique_id"]: model for model in models()}
    wrong = []
    for model in by_id.values():
        accepted = set(model["config"]["meta"].get("stale_inputs", []))
        parents = {by_id[key]["name"]: by_id[key] for key in model["depends_on"]["nodes"] if key in by_id}
        slower = {name for name, parent in parents.items() if period(parent) > period(model)}
        wrong += [f"{model['name']} reads {name} of a slower tier" for name in slower - accepted]
        wrong += [f"{model['name']} need not list {name}" for name in accepted - slower]
        guarded = set(re.findall(r"once_built\(\s*ref\(\s*[\"'](\w+)[\"']", model["raw_code"]))
        wrong += [f"{model['name']} reads {name} without once_built()" for name in slower - guarded]
    assert not wrong


def test_each_selector_selects_what_the_dag_of_its_tag_builds(models: Models) -> None:
    """Tags are read from the operator that the DAGs use: a run by hand builds no table that the schedule would not."""
    from stir.dbt_run import dbt_run

    selectors = yaml.safe_load((PROJECT / "selectors.yml").read_text())["selectors"]
    assert {selector["name"] for selector in selectors} == set(PERIOD_MINUTES)

    def chosen(tags: set[str], without: set[str]) -> set[str]:
        return {model["name"] for model in models() if set(model["tags"]) & tags and not set(model["tags"]) & without}

    for selector in selectors:
        tag, without = selector["definition"]["union"]
        assert {rule["method"] for rule in (tag, *without["exclude"])} == {"tag"}
        task = dbt_run(selector["name"])
        of_dag = chosen({task.select[0].removeprefix("tag:")}, {tag.removeprefix("tag:") for tag in task.exclude})
        assert chosen({tag["value"]}, {rule["value"] for rule in without["exclude"]}) == of_dag, selector["name"]
        assert of_dag
    assert "mart_time_series" in chosen({"daily"}, set())


def test_each_dag_that_reads_models_is_an_exposure(manifest: dict) -> None:
    """Whoever changes a model sees in the lineage which DAG reads it by a query of its own."""
    from airflow.dag_processing.dagbag import DagBag
    from stir.scrape_request import ScrapeSource

    read: dict[str, set[str]] = {}
    for dag_id, dag in DagBag(str(PROJECT.parent / "dags")).dags.items():
        sources = [
            task.op_kwargs["source"] for task in dag.tasks if "source" in (getattr(task, "op_kwargs", None) or {})
        ]
        for source in sources:
            query = source.query(1) if isinstance(source, ScrapeSource) else source.candidates.read_text()
            read.setdefault(dag_id, set()).update(re.findall(r"\bdbt\.(\w+)", query))
    exposed = {
        exposure["name"].removeprefix("dag_"): {node.split(".")[-1] for node in exposure["depends_on"]["nodes"]}
        for exposure in manifest["exposures"].values()
        if exposure["name"].startswith("dag_")
    }
    assert len(exposed) > 30
    assert exposed == {dag_id: names for dag_id, names in read.items() if names}


def test_each_source_table_says_what_it_holds(manifest: dict) -> None:
    """A table without freshness limits is a dump or gives its reason in meta.no_freshness."""
    for source in manifest["sources"].values():
        name = f"{source['source_name']}.{source['name']}"
        assert source["description"].startswith("One row per "), name
        assert source["source_description"], name
        meta = source["config"]["meta"]
        assert set(meta["key"]) <= set(source["columns"]), name
        assert all(column["description"] and column["data_type"] for column in source["columns"].values()), name
        has_limits = bool(source["freshness"] and source["freshness"]["warn_after"]["count"])
        assert has_limits == (meta["volume_class"] != "dump" and "no_freshness" not in meta), name
        assert bool(source["loaded_at_field"]) == has_limits, name


def test_no_two_sources_are_one_table(manifest: dict) -> None:
    tables = [(source["schema"], source["identifier"]) for source in manifest["sources"].values()]
    assert len(tables) == len(set(tables))


def test_rows_that_are_added_twice_are_one_row(models: Models) -> None:
    """An addition that was cut off is added again as a whole."""
    growing = {model["name"]: model["config"] for model in models() if model["config"]["materialized"] == "incremental"}
    assert growing
    for name, config in growing.items():
        assert config["engine"].startswith("ReplacingMergeTree("), name
        assert config["incremental_strategy"] == "append", name


def test_merging_models_are_read_merged(models: Models) -> None:
    """A ReplacingMergeTree read without merged() shows old versions of its rows."""
    merging = {model["name"] for model in models() if "Replacing" in (model["config"].get("engine") or "")}
    assert "stg_beat_instagram_post" in merging
    wrong = []
    for model in models():
        code = model["raw_code"]
        for name in merging & set(re.findall(r"ref\(\s*[\"'](\w+)[\"']\s*\)", code)):
            plain = re.sub(rf"merged\(\s*ref\(\s*[\"']{name}[\"']\s*\)\s*\)", "", code)
            if re.search(rf"ref\(\s*[\"']{name}[\"']\s*\)", plain):
                wrong.append(f"{model['name']} reads {name}")
    assert not wrong


def test_each_model_has_a_key_without_null(manifest: dict, models: Models) -> None:
    """A uniqueness test lets two rows with NULL pass for readers that join by the key: one key of each model has
    not_null on every column."""
    filled: dict[str, set[str]] = {}
    keys: dict[str, list[list[str]]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "test" or not node["test_metadata"]:
            continue
        model, test, arguments = node["attached_node"], node["test_metadata"]["name"], node["test_metadata"]["kwargs"]
        if test == "not_null":
            filled.setdefault(model, set()).add(arguments["column_name"])
        elif test in {"unique", "unique_combination_of_columns"}:
            key = arguments.get("combination_of_columns") or [arguments["column_name"]]
            keys.setdefault(model, []).append(key)
    wrong = {
        model["name"]: keys[model["unique_id"]]
        for model in models()
        if not any(set(key) <= filled.get(model["unique_id"], set()) for key in keys[model["unique_id"]])
    }
    assert not wrong
