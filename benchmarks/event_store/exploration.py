"""Other skipping indexes and codecs for the ClickHouse table: what each saves, and what it costs to write."""

# ruff: noqa: S608 -- SQL is built from constants

from __future__ import annotations

import statistics
from itertools import islice

from benchmarks.event_store.comparison import Comparison
from benchmarks.event_store.cost import cpu_seconds
from benchmarks.event_store.events import BLOCK, EVENT, blocks, columns, moment
from benchmarks.event_store.report import print_table, say
from benchmarks.event_store.stores import ClickHouseStore

INDEX_QUESTIONS = {  # a skipping index by its name, with a question that it should help
    "arrived": "SELECT uniqExact(platform, profile_id, toDate(event_timestamp)), count() FROM {table} "
    "WHERE insert_timestamp > '{recently}'",
    "ids": "SELECT profile_id, metrics FROM {table} WHERE event_id = '{event_id}'",
}
ARRIVED = "ADD INDEX arrived insert_timestamp TYPE minmax GRANULARITY 1"
IDS = "ADD INDEX ids event_id TYPE bloom_filter(0.01) GRANULARITY 1"
JSON_CODEC = "MODIFY COLUMN metrics String CODEC({0}), MODIFY COLUMN dimensions String CODEC({0})"
VARIANTS = {
    "as it is": "",
    "index arrived": ARRIVED,
    "no index ids": "DROP INDEX ids",
    **{f"JSON {codec}": JSON_CODEC.format(codec) for codec in ("LZ4", "ZSTD(1)", "ZSTD(6)")},
    "event_id LZ4": "MODIFY COLUMN event_id String CODEC(LZ4)",
    "handle and profile_id ZSTD(1)": "MODIFY COLUMN handle Nullable(String) CODEC(ZSTD(1)), "
    "MODIFY COLUMN profile_id String CODEC(ZSTD(1))",
}
# statistics: the smallest and the largest value that the server itself keeps for each column of a merged part
PRUNED_BY = {"neither": (0, 0), "statistics": (0, 1), "index": (1, 0)}
TIME_CODECS = "Delta(4), ZSTD(1)|DoubleDelta, ZSTD(1)|DoubleDelta|T64, ZSTD(1)|ZSTD(1)|Delta(4), LZ4"
TEXT_CODECS = "NONE|LZ4|ZSTD(1)|ZSTD(3)|ZSTD(6)"
BY_MINUTE = "lower(hex(sipHash64(toStartOfMinute(insert_timestamp))))"  # batch ids of a sinker that flushes each minute


def explore_indexes(comparison: Comparison) -> None:
    """What each skipping index saves, on the parts as merged and on one part per month, beside the statistics."""
    store, rows = comparison.clickhouse, []
    event_id = columns(next(blocks(comparison.events, skip=BLOCK // 2))[0]).split("\t")[0]
    names = {"table": store.table, "recently": moment(comparison.end - 4 * 3600), "event_id": event_id}

    def measure(state: str, *ways: str) -> None:
        for index, question in INDEX_QUESTIONS.items():
            sizes = "SELECT data_compressed_bytes + marks_bytes FROM system.data_skipping_indices WHERE database = "
            size = store.run(f"{sizes}'{store.database}' AND name = '{index}'") or [(0,)]
            for way in ways:
                settings = dict(
                    zip(("use_skip_indexes", "use_statistics_for_part_pruning"), PRUNED_BY[way], strict=True)
                )
                settings["use_query_condition_cache"] = 0
                read, taken = server_times(store, question.format(**names), settings)
                rows.append((index, f"{size[0][0]:,}", f"{store.state()}, {state}", way, f"{read:,}", taken))

    store.client.command(f"ALTER TABLE {store.table} DROP INDEX ids")  # it comes back below
    measure("as merged", "neither", "statistics")
    for index, clause in (("arrived", ARRIVED), ("ids", IDS)):
        store.client.command(f"ALTER TABLE {store.table} {clause}")
        # Rewrites the parts, after which all have statistics: hence those were measured before.
        materialize = f"ALTER TABLE {store.table} MATERIALIZE INDEX {index}"
        store.client.command(materialize, settings={"mutations_sync": 2})
    measure("as merged", "index")
    store.client.command(f"OPTIMIZE TABLE {store.table} FINAL")
    measure("after OPTIMIZE FINAL", *PRUNED_BY)
    print_table("skipping index|its bytes|parts|used|rows read|server's ms", rows)


def server_times(store: ClickHouseStore, statement: str, settings: dict[str, int]) -> tuple[int, str]:
    """Rows read, and the median of seven times that the server reports, in ms, with the lowest and the highest."""
    results = [store.client.query(statement, settings=settings).summary for _ in range(8)]
    taken = [int(result["elapsed_ns"]) / 1e6 for result in results[1:]]
    return int(results[0]["read_rows"]), f"{statistics.median(taken):.1f} ({min(taken):.1f} - {max(taken):.1f})"


def explore_insert_cost(comparison: Comparison) -> None:
    """Server CPU of writing the first 300,000 rows into variants of the table, and what they take in the end."""
    spent: dict[str, list[float]] = {name: [] for name in VARIANTS}
    sizes = {}
    for name, costs in list(spent.items()) * 3:
        say(f"insert: {name}")
        store = ClickHouseStore(comparison.clickhouse.service, "trial")
        if VARIANTS[name]:
            store.client.command(f"ALTER TABLE {store.table} {VARIANTS[name]}")
        cost = store.load(islice(blocks(comparison.events), 30))
        costs.append(cost.cpu / sum(cost.rows) * 1e6)
        store.client.command(f"OPTIMIZE TABLE {store.table} FINAL")
        sizes[name] = store.sizes()[0] / sum(cost.rows) * 1e6
        store.client.command("DROP DATABASE trial")
    rows = [(name, f"{min(costs):.2f}", f"{max(costs):.2f}", f"{sizes[name]:.1f}") for name, costs in spent.items()]
    print_table("table|server's CPU s per million rows, lowest|highest|bytes a row after OPTIMIZE FINAL", rows)


def explore_codecs(comparison: Comparison) -> None:
    """Bytes of each column as it is, and under each codec: the month with most rows in one part, sorted alike."""
    store = comparison.clickhouse
    sizes = "sum(column_data_compressed_bytes) AS size, size / sum(rows), sum(column_data_uncompressed_bytes) / size"
    wide = f"{store.parts('parts_columns')} AND part_type = 'Wide'"
    found = store.run(f"SELECT column, {sizes} FROM {wide} GROUP BY column ORDER BY size DESC")
    declared = {column.name: column for column in EVENT.columns}
    rows = [(name, declared[name].codec, f"{size:,}", f"{a:.2f}", f"{b:.1f}") for name, size, a, b in found]
    print_table("column|codec|bytes|bytes a row|compressed by", rows)
    by_month = "toYYYYMM(event_timestamp) AS month, count() AS rows"
    month = store.run(f"SELECT {by_month} FROM {store.table} GROUP BY month ORDER BY rows DESC LIMIT 1")[0][0]
    tried = dict.fromkeys(("event_timestamp", "insert_timestamp"), TIME_CODECS)
    tried |= dict.fromkeys(("event_id", "metrics", "dimensions", "handle", "profile_id"), TEXT_CODECS)
    tried |= {"source": "LZ4|ZSTD(1)", "ingest_batch_id": "LZ4|ZSTD(1)|ZSTD(3)", BY_MINUTE: "LZ4|ZSTD(1)|ZSTD(3)"}
    store.client.command("CREATE DATABASE trial")
    rows = []
    for expression, codecs in tried.items():
        for codec in codecs.split("|"):
            say(f"{expression}: {codec}")
            kind = declared[expression].type if expression in declared else "String"
            rows.append((expression, codec, *try_codec(store, expression, kind, codec, month)))
    store.client.command("DROP DATABASE trial")
    print_table("column|codec|bytes a row|CPU s per million rows, to insert and merge|server's ms to read them", rows)


def try_codec(store: ClickHouseStore, expression: str, kind: str, codec: str, month: int) -> tuple[str, str, str]:
    store.client.command(
        "CREATE TABLE trial.codec (platform String CODEC(NONE), profile_id String CODEC(NONE), event_timestamp "
        f"DateTime CODEC(NONE), value {kind} CODEC({codec})) "
        "ENGINE = MergeTree ORDER BY (platform, profile_id, event_timestamp) "
        "SETTINGS min_bytes_for_wide_part = 0"
    )
    spent = []
    for _ in range(3):
        store.client.command("TRUNCATE TABLE trial.codec")
        before = cpu_seconds(store.service)
        store.client.command(
            f"INSERT INTO trial.codec SELECT platform, profile_id, event_timestamp, {expression} FROM {store.table} "
            f"WHERE toYYYYMM(event_timestamp) = {month}"
        )
        store.client.command("OPTIMIZE TABLE trial.codec FINAL SETTINGS optimize_skip_merged_partitions = 0")
        spent.append(cpu_seconds(store.service) - before)
    _, taken = server_times(store, "SELECT max(cityHash64(value)) FROM trial.codec", {})
    size, count = store.run(
        "SELECT sum(column_data_compressed_bytes), sum(rows) FROM system.parts_columns "
        "WHERE active AND database = 'trial' AND column = 'value'"
    )[0]
    store.client.command("DROP TABLE trial.codec SYNC")
    return f"{size / count:.2f}", f"{min(spent) / count * 1e6:.2f}", taken
