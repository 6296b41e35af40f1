"""Values come back as they were sent, by each client and protocol."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

pytestmark = pytest.mark.integration

KOLKATA = ZoneInfo("Asia/Kolkata")
TEXT = "emoji 😀, NUL \0, newlines \n\n\r\n, tab \t, quotes '\"`, backslash \\, ;"
COLUMNS = {
    "number": ("UInt64", [2**64 - 1, 2**53 + 1, 0]),
    "signed": ("Int64", [-(2**63), 2**63 - 1, -1]),
    "text": ("String", [TEXT, "", "\n\n"]),
    "nullable": ("Nullable(String)", [None, TEXT, ""]),
    "low": ("LowCardinality(String)", ["a", TEXT, "a"]),
    "low_nullable": ("LowCardinality(Nullable(String))", [None, "b", "b"]),
    "list": ("Array(Nullable(UInt32))", [[1, None, 3], [], [None]]),
    "nested": ("Array(Array(String))", [[["a"], []], [], [[TEXT]]]),
    "pairs": ("Map(String, UInt64)", [{"a": 2**60, TEXT: 1}, {}, {"": 0}]),
    "money": ("Decimal(18, 4)", [Decimal("12345678901234.5678"), Decimal("-0.0001"), Decimal("0.0000")]),
    "wide": ("Decimal(38, 10)", [Decimal("1234567890123456789012345678.0123456789"), Decimal(0), Decimal(-1)]),
    "day": ("Date", [dt.date(2025, 6, 7), dt.date(1970, 1, 1), dt.date(2149, 6, 6)]),
    "long_day": ("Date32", [dt.date(1925, 1, 1), dt.date(2025, 6, 7), dt.date(2283, 11, 11)]),
    "key": ("UUID", [uuid.UUID(int=1), uuid.UUID("0f0e0d0c-0b0a-0908-0706-050403020100"), uuid.UUID(int=0)]),
    "maybe": ("Nullable(UInt64)", [None, 2**64 - 1, 0]),
    "maybe_day": ("Nullable(DateTime('Asia/Kolkata'))", [None, dt.datetime(2025, 1, 1, tzinfo=KOLKATA), None]),
    "flag": ("Bool", [True, False, True]),
    "real": ("Float64", [0.1, -1e308, 5e-324]),
    "tuple": ("Tuple(UInt8, String)", [(1, "a"), (2, TEXT), (0, "")]),
    "choice": ("Enum8('post' = 1, 'story' = 2)", ["post", "story", "post"]),
    "zoned": (
        "DateTime('Asia/Kolkata')",
        [dt.datetime(2025, 1, 1, 5, 30, tzinfo=KOLKATA), dt.datetime(2038, 1, 1, tzinfo=KOLKATA)] * 2,
    ),
    "precise": (
        "DateTime64(6, 'Asia/Kolkata')",
        [dt.datetime(2025, 1, 1, 5, 30, 0, 123456, tzinfo=KOLKATA), dt.datetime(1999, 12, 31, tzinfo=KOLKATA)] * 2,
    ),
    "zoned_list": ("Array(DateTime('Asia/Kolkata'))", [[dt.datetime(2025, 1, 1, tzinfo=KOLKATA)], [], []]),
}
NAMES = list(COLUMNS)
ROWS = [[COLUMNS[name][1][row] for name in NAMES] for row in range(3)]


@pytest.fixture
def table(http) -> str:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    http.command(f"CREATE TABLE t (place UInt8, {columns}) ENGINE = MergeTree ORDER BY place")
    return "t"


@pytest.mark.parametrize("reader", ["http", "native"])
@pytest.mark.parametrize("writer", ["http", "native"])
def test_round_trip(http, native, table: str, writer: str, reader: str) -> None:
    rows = [[place, *row] for place, row in enumerate(ROWS)]
    if writer == "http":
        http.insert(table, rows, column_names=["place", *NAMES])
    else:
        native.execute(f"INSERT INTO {table} (place, {', '.join(NAMES)}) VALUES", rows)
    select = f"SELECT {', '.join(NAMES)} FROM {table} ORDER BY place"
    read = http.query(select).result_rows if reader == "http" else native.execute(select)
    for name, *values in zip(NAMES, *[list(row) for row in read], strict=True):
        assert values == [row[NAMES.index(name)] for row in ROWS], name
    zoned = read[0][NAMES.index("zoned")]
    assert zoned.utcoffset() == dt.timedelta(hours=5, minutes=30)  # the zone itself arrived, not only the instant
    assert read[0][NAMES.index("zoned_list")][0].utcoffset() == dt.timedelta(hours=5, minutes=30)


def test_column_types_arrive_by_name(native, table: str) -> None:
    _, columns = native.execute(f"SELECT {', '.join(NAMES)} FROM {table}", with_column_types=True)
    assert dict(columns) == {name: kind for name, (kind, _) in COLUMNS.items()}


def test_json_objects_become_strings_verbatim(http) -> None:
    """The sinker relies on it: input_format_json_read_objects_as_strings is on by default."""
    http.command("CREATE TABLE t (a UInt64, dimensions String) ENGINE = MergeTree ORDER BY a")
    objects = ['{"k": {"deep": [1, 2.50, null]}, "e": "😀 \\u0000 \\n"}', '[1, "two"]', '"plain"', "null"]
    body = "\n".join(f'{{"a": {2**63 + row}, "dimensions": {value}}}' for row, value in enumerate(objects))
    http.raw_insert("t", insert_block=body.encode(), fmt="JSONEachRow")
    assert http.query("SELECT a, dimensions FROM t ORDER BY a").result_rows == [
        (2**63, objects[0]),
        (2**63 + 1, objects[1]),
        (2**63 + 2, "plain"),
        (2**63 + 3, ""),
    ]


def test_blank_lines_and_semicolons_in_values_are_data(http) -> None:
    """Inline rows end for the engine at a blank line, and it would run the rest as SQL."""
    http.command("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    http.command("INSERT INTO t VALUES (1, 'a\n\n;DROP TABLE t;'),\n\n(2, 'b')")
    http.raw_insert("t", insert_block=b'3,"c\n\nSELECT 1;"\n', fmt="CSV")
    http.raw_insert("t", insert_block=b'{"a":4,\n\n"s":"d"}\n\n{"a":5}', fmt="JSONEachRow")
    assert http.query("SELECT * FROM t ORDER BY a").result_rows == [
        (1, "a\n\n;DROP TABLE t;"),
        (2, "b"),
        (3, "c\n\nSELECT 1;"),
        (4, "d"),
        (5, ""),
    ]
