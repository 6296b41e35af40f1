"""Contents, pairs in time and shifts over midnight: what `parity` decides without a server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_sinker.parity.content import Content, content_of, differing_keys
from event_sinker.parity.days import Verdict, compare_days
from event_sinker.parity.facts import SECONDS_PER_DAY, Fact, Tally, Window
from event_sinker.parity.match import match, pairs, shifts_over_midnight

pytestmark = pytest.mark.unit

WINDOW = Window.of_days(date(2026, 3, 2), date(2026, 3, 4))
MIDNIGHT = WINDOW.start + SECONDS_PER_DAY
TOLERANCE = 300

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
PAIRS = st.lists(st.tuples(st.sampled_from(["followers", "bio", "", "a.b", "é"]), VALUES))


def metrics(text: str | None) -> Content:
    return content_of({}, {"metrics": text}, "row 1")


def as_array(key_values: Sequence[tuple[str, object]]) -> str:
    return json.dumps([{"key": key, "value": value} for key, value in key_values])


# --- contents ---------------------------------------------------------------------------------------------------------


@given(PAIRS)
def test_an_array_of_pairs_is_the_object_that_the_publisher_folds_it_into(key_values: list[tuple[str, object]]) -> None:
    assert metrics(as_array(key_values)) == metrics(json.dumps(dict(key_values)))


@given(st.dictionaries(st.text(), VALUES), st.randoms())
def test_the_order_of_keys_never_matters(document: dict[str, object], random) -> None:
    shuffled = list(document.items())
    random.shuffle(shuffled)
    assert metrics(as_array(shuffled)) == metrics(json.dumps(document, sort_keys=True))


@given(st.dictionaries(st.text(), VALUES), st.dictionaries(st.text(), VALUES))
def test_contents_differ_exactly_at_the_keys_that_differ(one: dict[str, object], other: dict[str, object]) -> None:
    def typed(document: dict[str, object], key: str) -> tuple[bool, str]:
        return key in document, json.dumps(document.get(key), sort_keys=True).replace("-0.0", "0.0")

    expected = {f"metrics.{key}" for key in one | other if typed(one, key) != typed(other, key)}
    found = set(differing_keys(metrics(json.dumps(one)), metrics(json.dumps(other))))
    assert found <= expected
    # 1 and 1.0 are spelt differently and are one number; such keys alone may be missing.
    assert all(one[path[len("metrics.") :]] == other[path[len("metrics.") :]] for path in expected - found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10", "10.0"),
        ("1e2", "100"),
        ("-0.0", "0"),
        ("1e22", "10000000000000000000000"),
        ("0.1", "0.10"),
        ('{"a": 1, "b": [1, {"c": 2}]}', '{"b": [1.0, {"c": 2}], "a": 1}'),
        ('"\\u00e9"', '"é"'),
    ],
)
def test_equal_values(one: str, other: str) -> None:
    assert metrics(f'{{"key": {one}}}') == metrics(f'{{"key": {other}}}')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9007199254740993", "9007199254740992"),
        ("18446744073709551615", "18446744073709551614"),
        ("18446744073709551615", "18446744073709551616.0"),
        ("0.1", "0.10000000000000001"),
        ("1", "true"),
        ("0", "false"),
        ("1", '"1"'),
        ("null", '""'),
        ("null", '"null"'),
        ("[1, 2]", "[2, 1]"),
        ("[]", "{}"),
        ("NaN", '"NaN"'),
        ("1e99999999999999999999", "1e99999999999999999998"),
    ],
)
def test_different_values(one: str, other: str) -> None:
    found = differing_keys(metrics(f'{{"key": {one}}}'), metrics(f'{{"key": {other}}}'))
    assert found == ["metrics.key"]


def test_null_is_not_absent_but_a_document_that_is_null_is_empty() -> None:
    assert metrics('{"followers": null}') != metrics("{}")
    assert metrics(None) == metrics("null") == metrics("{}") == metrics("[]")


@pytest.mark.parametrize("text", ["{", "", "7", '[{"key": "a"}]', '[["a", 1]]', '[{"key": 1, "value": 1}]', "[" * 9999])
def test_a_document_that_cannot_be_read_equals_nothing_and_is_named(text: str) -> None:
    unreadable = metrics(text)
    assert unreadable != content_of({}, {"metrics": text}, "row 2")
    (named,) = differing_keys(unreadable, metrics("{}"))
    assert named.startswith("metrics (")


# --- facts in time ----------------------------------------------------------------------------------------------------


def most_pairs(logged: list[int], published: list[int], slack: int, tolerance: int) -> int:
    """The same number by augmenting paths, which know nothing of order."""
    partner: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for event, second in enumerate(published):
            if -slack <= second - logged[row] <= tolerance and event not in seen:
                seen.add(event)
                if event not in partner or place(partner[event], seen):
                    partner[event] = row
                    return True
        return False

    return sum(place(row, set()) for row in range(len(logged)))


@given(st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30)), st.integers(0, 8))
def test_there_are_as_many_pairs_as_possible(logged: list[int], published: list[int], tolerance: int) -> None:
    logged.sort()
    published.sort()
    found = pairs(logged, published, 1, tolerance)
    assert all(-1 <= published[event] - logged[row] <= tolerance for row, event in found)
    assert len({row for row, _ in found}) == len({event for _, event in found}) == len(found)
    assert len(found) == most_pairs(logged, published, 1, tolerance)


def fact(second: float, value: int, reference: str = "") -> Fact:
    return Fact(("INSTAGRAM", "1"), second, reference, metrics(json.dumps({"followers": value})))


FACTS = st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 3)), max_size=8).map(
    lambda facts: [fact(second, value, str(number)) for number, (second, value) in enumerate(facts)]
)


@given(FACTS, FACTS, st.randoms())
def test_the_order_of_rows_never_matters(rows: list[Fact], events: list[Fact], random) -> None:
    def summary(rows: list[Fact], events: list[Fact]) -> tuple[object, ...]:
        matching = match(rows, events, TOLERANCE)
        found = [(one.kind, one.keys, one.row and one.row.reference, one.event) for one in matching.differences]
        return Counter(row.content for row in matching.matched), found

    in_order = summary(rows, events)
    assert in_order == summary(random.sample(rows, len(rows)), random.sample(events, len(events)))


def test_equal_content_too_late_is_no_match() -> None:
    on_time = match([fact(0, 1)], [fact(TOLERANCE, 1)], TOLERANCE)
    assert (len(on_time.matched), on_time.differences) == (1, [])
    late = match([fact(0, 1)], [fact(TOLERANCE + 1, 1)], TOLERANCE)
    assert [one.kind for one in late.differences] == ["missing in ClickHouse", "only in ClickHouse"]


def test_an_event_may_seem_a_second_too_early_since_its_fraction_is_cut_off() -> None:
    assert match([fact(100.9, 1)], [fact(100, 1)], TOLERANCE).differences == []
    assert len(match([fact(101.1, 1)], [fact(100, 1)], TOLERANCE).differences) == 2


def test_a_repeated_event_does_not_stand_in_for_a_lost_one() -> None:
    matching = match([fact(0, 1), fact(5, 2)], [fact(1, 1), fact(6, 1)], TOLERANCE)
    assert [(one.kind, one.repeats) for one in matching.differences] == [
        ("missing in ClickHouse", False),
        ("only in ClickHouse", True),
    ]


# --- midnight ---------------------------------------------------------------------------------------------------------


def verdicts(logged: list[tuple[int, str]], published: list[tuple[int, str]]) -> list[Verdict]:
    """The verdicts of the days of WINDOW for facts of one platform, given as (second, profile)."""
    sides = [sorted((second, ("INSTAGRAM", profile)) for second, profile in facts) for facts in (logged, published)]

    def tallies(facts: list[tuple[int, tuple[str, str]]]) -> dict[tuple[date, str], Tally]:
        found = {}
        for number, day in enumerate(WINDOW.days):
            start = WINDOW.start + number * SECONDS_PER_DAY
            entities = [entity for second, entity in facts if second in Window(start, start + SECONDS_PER_DAY)]
            found[day, "INSTAGRAM"] = Tally(len(entities), len(set(entities)))
        return found

    def near_midnight(facts: list[tuple[int, tuple[str, str]]]) -> list[tuple[int, tuple[str, str]]]:
        reach = 2 * TOLERANCE + 1
        wide = WINDOW.widened(reach)
        distance = SECONDS_PER_DAY // 2 - reach
        return [
            (second, entity)
            for second, entity in facts
            if second in wide and abs(second % SECONDS_PER_DAY - SECONDS_PER_DAY // 2) >= distance
        ]

    shifts = shifts_over_midnight(*map(near_midnight, sides), TOLERANCE)
    return [day.total.verdict for day in compare_days(WINDOW, tallies(sides[0]), tallies(sides[1]), shifts)]


SCRAPES = st.tuples(
    st.sampled_from([WINDOW.start, MIDNIGHT, WINDOW.end]),
    st.integers(-2 * TOLERANCE, 2 * TOLERANCE),  # distance of the scrape from that midnight
    st.integers(0, TOLERANCE // 8),  # delay of the event
    st.sampled_from("ab"),
)


@given(st.lists(SCRAPES, max_size=12))
def test_without_a_loss_no_day_is_to_blame(scrapes: list[tuple[int, int, int, str]]) -> None:
    logged = [(midnight + distance, profile) for midnight, distance, _, profile in scrapes]
    published = [(midnight + distance + delay, profile) for midnight, distance, delay, profile in scrapes]
    assert set(verdicts(logged, published)) <= {Verdict.EQUAL, Verdict.SHIFTED}


def test_a_loss_before_midnight_is_not_explained_by_the_facts_after_it() -> None:
    logged = [(MIDNIGHT - 2, "lost"), (MIDNIGHT + 1, "b"), (MIDNIGHT + 3, "c")]
    published = [(MIDNIGHT + 2, "b"), (MIDNIGHT + 5, "c")]
    assert verdicts(logged, published) == [Verdict.MISSING, Verdict.EQUAL]


def test_a_loss_before_the_end_is_not_explained_by_the_same_profile_after_it() -> None:
    logged = [(WINDOW.end - 200, "a"), (WINDOW.end + 10, "a")]
    assert verdicts(logged, [(WINDOW.end + 11, "a")]) == [Verdict.EQUAL, Verdict.MISSING]


def test_a_loss_and_an_unrelated_event_beyond_midnight_do_not_balance() -> None:
    assert verdicts([(MIDNIGHT - 2, "a")], [(MIDNIGHT + 1, "b")]) == [Verdict.MISSING, Verdict.EXTRA]


def test_as_many_rows_of_other_entities_are_no_equal_day() -> None:
    noon = WINDOW.start + SECONDS_PER_DAY // 2
    assert verdicts([(noon, "a"), (noon, "b")], [(noon, "a"), (noon, "a")]) == [Verdict.MISSING, Verdict.EQUAL]
    assert verdicts([(noon, "a"), (noon, "a")], [(noon, "a"), (noon, "b")]) == [Verdict.EXTRA, Verdict.EQUAL]
