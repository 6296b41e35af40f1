"""Every row of the audience marts on the small world against a second computation from the source rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from tests.gcc_social import audience_recomputed
from tests.gcc_social.audience_recomputed import NEVER_KNOWN, Key, Row
from tests.gcc_social.conftest import Warehouse

pytestmark = pytest.mark.integration

TIERS: dict[str, Callable] = {
    "mart_audience_info_private": audience_recomputed.private,
    "mart_audience_info_follower": audience_recomputed.follower,
    "mart_audience_info_gpt": audience_recomputed.gpt,
}


@pytest.fixture(scope="module")
def audience_world(small_world: Warehouse) -> Warehouse:
    """The small world with the audience chain built on it."""
    small_world.dbt("build", "--select", "+mart_audience_info", "--exclude-resource-type", "unit_test")
    return small_world


@pytest.fixture(scope="module")
def expected(audience_world: Warehouse) -> dict[str, dict[Key, Row]]:
    tiers = {model: compute(audience_world.client) for model, compute in TIERS.items()}
    return tiers | {"mart_audience_info": audience_recomputed.best(tiers.values())}


def rows_of(warehouse: Warehouse, model: str) -> dict[Key, Row]:
    found = warehouse.client.query(f"select * from dbt.{model}").named_results()
    return {(row.pop("platform"), row.pop("platform_id")): row for row in found}


def same(value: Any, expected: Any, decimals: int) -> bool:
    """Whether `value` is `expected`, rounded when that is exact."""
    if isinstance(expected, list):
        return len(value) == len(expected) and all(same(*pair, decimals) for pair in zip(value, expected, strict=True))
    if isinstance(expected, Fraction) and value is not None:
        half = Fraction(1, 2 * 10**decimals) + Fraction(1, 10**9)
        return abs(Fraction(value) - expected) <= half and round(value, decimals) == value
    if isinstance(expected, float) and value is not None:
        return math.isclose(value, expected, rel_tol=1e-12)
    return value == expected


@pytest.mark.parametrize("model", [*TIERS, "mart_audience_info"])
def test_every_row_equals_the_second_computation(audience_world: Warehouse, expected: dict, model: str) -> None:
    built = rows_of(audience_world, model)
    assert built.keys() == expected[model].keys()
    wrong = []
    for key, row in built.items():
        other = expected[model][key]
        assert row.keys() == other.keys()
        for column, value in row.items():
            by_age = column in ("age_group_percs", "male_followers_perc", "female_followers_perc")
            if not same(value, other[column], 3 if by_age and other["tier"] == "gpt" else 2):
                wrong.append(f"{key} {column}: {value!r}, expected {other[column]!r}")
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_the_world_exercises_the_tiers(expected: dict) -> None:
    """An empty or tame world would make the comparison worthless."""
    private, follower, gpt, best = expected.values()
    assert {row["tier"] for row in best.values()} == {"private", "follower", "gpt"}
    assert {row["source"] for row in follower.values()} == {"follower_sample", "directory"}
    assert {platform for platform, _ in private} == {"INSTAGRAM", "YOUTUBE"}
    assert any(not row["age_groups"] for row in private.values()), "no insights without ages"
    assert any(not row["cities"] for row in private.values()), "no insights without cities"
    assert any(" " in name for row in private.values() for name in row["cities"]), "no city of two words"
    sampled = [row for row in follower.values() if row["source"] == "follower_sample"]
    assert any(row["notable_followers"] for row in sampled), "no notable follower"
    assert any(0 < row["audience_authenticity"] < 99 for row in sampled), "the missing parenthesis would not show"
    assert any(not row["cities"] for row in gpt.values()), "no answer with too few cities"
    assert private.keys() & follower.keys(), "no account in the first two tiers"
    assert (private.keys() | follower.keys()) & gpt.keys(), "nobody supposed whom others know"
    assert all(row[column] is None for row in best.values() for column in NEVER_KNOWN)


def test_insert_order_does_not_matter(audience_world: Warehouse) -> None:
    before = audience_world.checksum("mart_audience_info")
    audience_world.shuffle(
        "beat_replica.profile_relationship_log", "beat_replica.instagram_profile_insights", "ds.instagram_prediction",
        "vidooly.social_profiles_new_20230217", "_e.profile_log_events",
    )  # fmt: skip
    audience_world.drop_models()
    audience_world.dbt("build", "--select", "+mart_audience_info", "--exclude-resource-type", "test", "unit_test")
    assert audience_world.checksum("mart_audience_info") == before
