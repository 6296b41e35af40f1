"""The import of a search index: real ClickHouse, and over HTTP a search engine whose pages get lost on demand."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from stir import search_import
from stir.search_import import Field, SearchImport, run
from stir.search_scroll import ScrollLostError, SearchError, SearchServer

from devstack.search.server import SearchEngine, search_engine
from schema import clickhouse_sources

REPOSITORY = Path(__file__).parents[2]
INDEX, TABLE = "youtube_channels_api", "vidooly.youtube_channels"
LOADING = "stir.vidooly_youtube_channels_loading"
TODAY = datetime.now(UTC)
LOGIN, PASSWORD = "stir", "f00"


def document(number: int, country: str = "IN", **changed: Any) -> dict[str, Any]:
    """A document with everything that the index holds of a channel, and more."""
    return {
        "id": f"UC{number:021d}A",
        "created_at": "2020-01-01T00:00:00Z",
        "last_updated": "2026-01-01T01:02:03Z",
        "snippet": {
            "country": country,
            "customUrl": f"@channel{number}",
            "description": "Songs\nand \"stories\" 'daily' \\ \t हिन्दी 🎵",
            "title": f"Channel {number}",
            "publishedAt": "2012-05-06T07:08:09Z",
            "thumbnails": {"default": {"url": "https://yt3.example/a.jpg", "width": 88}, "high": {"url": "x"}},
            "localized": {"title": "not asked for"},
        },
        "statistics": {
            "videoCount": "12",
            "viewCount": 9007199254740993,
            "subscriberCount": "34",
            "hiddenSubscriberCount": False,
        },
        **changed,
    }


@pytest.fixture(scope="module")
def search() -> SearchImport:
    """The declaration of sync_vidooly_es_youtube_channels."""
    spec = importlib.util.spec_from_file_location("youtube_dags", REPOSITORY / "dags" / "youtube.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.channel_directory


@pytest.fixture
def engine(connection: Callable[..., None]) -> Iterator[SearchEngine]:
    """A search engine with a login, and connection `vidooly_search` pointing to it."""
    with search_engine(login=LOGIN, password=PASSWORD) as running:
        connection("vidooly_search", host=running.url, login=LOGIN, password=PASSWORD)
        yield running


@pytest.fixture
def table(clickhouse: Any) -> Iterator[Any]:
    """The table as the DDL makes it, empty."""
    clickhouse.execute("create database if not exists vidooly")
    clickhouse.execute("use vidooly")
    clickhouse.execute("drop table if exists youtube_channels sync")
    for statement in clickhouse_sources.source_databases()["vidooly"]:
        clickhouse.execute(statement.text)
    clickhouse.execute("use default")
    yield clickhouse
    clickhouse.execute(f"truncate table {TABLE}")


def fill(engine: SearchEngine, *documents: dict[str, Any]) -> None:
    """Fill the index over its HTTP interface."""
    lines = []
    for place, content in enumerate(documents):
        lines += [{"index": {"_id": content.get("id") or f"nameless{place}"}}, content]
    body = b"\n".join(map(orjson.dumps, lines)) + b"\n"
    headers = {"Content-Type": "application/x-ndjson"}
    reply = httpx.post(f"{engine.url}/{INDEX}/_bulk", content=body, headers=headers, auth=(LOGIN, PASSWORD))
    assert reply.status_code == 200


def load(search: SearchImport, when: datetime = TODAY, ti: Any = None, **params: Any) -> dict[str, Any]:
    return run(search, params, dag_run=SimpleNamespace(run_after=when), ti=ti)


def small(search: SearchImport, **changed: Any) -> SearchImport:
    """The declaration with pages of three documents."""
    return SearchImport(**{**search.__dict__, "page_size": 3, **changed})


def days(table: Any) -> dict[date, int]:
    return dict(table.execute(f"select load_date, count() from {TABLE} group by load_date"))


@pytest.mark.integration
class TestLoad:
    def test_a_document_becomes_a_row_with_every_column(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, document(1))
        page = load(search)
        assert (page["documents"], page["rows"], page["rounds"], page["without_key"]) == (1, 1, 1, 0)
        names = [name for name, *_ in table.execute(f"describe table {TABLE}")]
        (values,) = table.execute(f"select * from {TABLE}")
        row = dict(zip(names, values, strict=True))
        content = document(1)
        file = f"youtube_channels_api_{TODAY:%Y%m%d}.json"
        assert row == {
            "_path": file,
            "_file": file,
            "id": content["id"],
            "created": "2020-01-01T00:00:00Z",
            "country": "IN",
            "custom_url": "@channel1",
            "description": content["snippet"]["description"],
            "title": "Channel 1",
            "published_at": "2012-05-06T07:08:09Z",
            "thumbnail": "https://yt3.example/a.jpg",
            "last_updated_at": "2026-01-01T01:02:03Z",
            "video_count": "12",
            "view_count": "9007199254740993",
            "hidden_subscriber": 0,
            "subscriber_count": "34",
            "load_date": TODAY.date(),
        }

    def test_only_indian_channels_come_page_by_page_and_nothing_is_left_behind(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, *(document(number) for number in range(10)), document(90, "US"), document(91, "INDIA"))
        assert load(small(search))["documents"] == 10
        assert table.execute(f"select countIf(country = 'IN'), uniqExact(id) from {TABLE}") == [(10, 10)]
        assert engine.engine.scrolls == {}, "the scroll is closed"
        assert table.execute("select name from system.tables where database = 'stir' and name like '%loading'") == []

    def test_another_run_of_a_day_replaces_it_and_other_days_stay(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, *(document(number) for number in range(5)))
        load(search, TODAY - timedelta(days=1))
        load(search)
        engine.engine.indices[INDEX].pop(document(0)["id"])
        load(search)
        assert days(table) == {TODAY.date() - timedelta(days=1): 5, TODAY.date(): 4}

    def test_the_day_is_that_of_the_run_and_a_run_of_the_past_is_refused(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, document(1))
        with pytest.raises(Exception, match="the index only knows today"):
            load(search, TODAY - timedelta(days=3))
        assert days(table) == {}
        load(search, TODAY - timedelta(days=3), load_date="2026-02-03")
        assert days(table) == {date(2026, 2, 3): 1}

    def test_documents_that_lack_something_or_have_it_in_another_form(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        odd = {"snippet": {"country": "IN", "thumbnails": None, "title": 5}, "statistics": "none"}
        flags = {"hiddenSubscriberCount": "true", "viewCount": 1.5, "videoCount": None}
        nameless = {key: value for key, value in document(0).items() if key != "id"}
        fill(engine, document(1, **odd), document(2, statistics=flags), nameless)
        load(search)
        columns = "id, title, thumbnail, view_count, video_count, hidden_subscriber, published_at"
        assert table.execute(f"select {columns} from {TABLE} order by id") == [
            (document(1)["id"], "5", None, None, None, None, None),
            (document(2)["id"], "Channel 2", "https://yt3.example/a.jpg", "1.5", None, 1, "2012-05-06T07:08:09Z"),
            (
                "nameless2",
                "Channel 0",
                "https://yt3.example/a.jpg",
                "9007199254740993",
                "12",
                0,
                "2012-05-06T07:08:09Z",
            ),
        ]

    def test_a_channel_that_is_indexed_twice_is_one_row(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, *(document(number) for number in range(4)))
        engine.engine.put(INDEX, "another id", document(2))
        page = load(small(search))
        assert (page["documents"], page["rows"]) == (5, 4)
        assert days(table) == {TODAY.date(): 4}

    @pytest.mark.parametrize("fault", ["lost", "busy", "shard", "timeout", "short"])
    def test_a_page_that_is_lost_or_incomplete_begins_the_scroll_again(
        self, fault: Any, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, *(document(number) for number in range(10)))
        engine.faults += ["none", "none", fault]
        page = load(small(search))
        assert (page["documents"], page["rows"], page["rounds"]) == (10, 10, 2)
        assert days(table) == {TODAY.date(): 10}

    def test_a_server_that_always_loses_pages_is_given_up_and_the_table_is_as_before(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, *(document(number) for number in range(10)))
        load(search)
        engine.faults += ["none", "lost"] * 3
        with pytest.raises(Exception, match="given up after 3 rounds: a page was refused: HTTP 504"):
            load(small(search))
        assert days(table) == {TODAY.date(): 10}
        assert table.execute(f"exists table {LOADING}") == [(0,)]

    def test_a_search_server_that_is_down_is_named_and_the_table_is_as_before(
        self, search: SearchImport, engine: SearchEngine, table: Any, connection: Callable[..., None]
    ) -> None:
        fill(engine, document(1))
        load(search)
        connection("vidooly_search", host="http://127.0.0.1:9", login=LOGIN, password=PASSWORD)
        with pytest.raises(Exception, match="connection vidooly_search: no reply: ConnectError"):
            load(search)
        assert days(table) == {TODAY.date(): 1}

    def test_a_warehouse_that_is_away_is_one_clear_error(
        self, search: SearchImport, engine: SearchEngine, connection: Callable[..., None]
    ) -> None:
        fill(engine, document(1))
        connection("clickhouse_gcc", host="127.0.0.1", port=9, login="stir", password="x")
        with pytest.raises(Exception, match=r"ClickHouse at 127.0.0.1:9 .* does not answer"):
            load(search)

    def test_a_load_that_has_shrunk_by_more_than_half_is_refused_until_somebody_accepts_it(
        self, search: SearchImport, engine: SearchEngine, table: Any, left: Any
    ) -> None:
        fill(engine, *(document(number) for number in range(10)))
        load(search, TODAY - timedelta(days=1))
        engine.engine.indices[INDEX] = dict(list(engine.engine.indices[INDEX].items())[:4])
        with pytest.raises(
            Exception, match=r"has 4 rows, the day before had 10: less than 50%\. Nothing was published"
        ):
            load(search, ti=left)
        assert (left.page["documents"], left.page["rows"], left.page["previous_rows"]) == (4, 4, 10)
        assert days(table) == {TODAY.date() - timedelta(days=1): 10}
        load(search, accept_fewer=True)
        assert days(table)[TODAY.date()] == 4

    def test_an_empty_index_is_no_snapshot(self, search: SearchImport, engine: SearchEngine, table: Any) -> None:
        fill(engine, document(1, "US"))
        with pytest.raises(Exception, match="holds no document for this query: nothing was published"):
            load(search, accept_fewer=True)

    def test_documents_without_any_id_are_not_taken_for_an_index(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, document(1))
        engine.engine.indices[INDEX][""] = {**document(2), "id": ""}
        with pytest.raises(Exception, match="1 of 2 documents of youtube_channels_api have no id"):
            load(search)

    def test_a_dry_run_reads_and_checks_and_publishes_nothing(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, document(1))
        page = load(search, dry_run=True)
        assert (page["rows"], page["dry_run"]) == (1, True)
        assert days(table) == {}

    def test_what_a_killed_run_left_behind_does_not_get_into_the_next_load(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        table.execute("create database if not exists stir")
        table.execute(f"create table {LOADING} as {TABLE}")
        table.execute(f"insert into {LOADING} (id, _path) values", [("left", f"x_{TODAY:%Y%m%d}.json")])
        fill(engine, document(1))
        load(search)
        assert days(table) == {TODAY.date(): 1}

    def test_a_table_without_a_partition_per_day_is_refused_with_advice(
        self, search: SearchImport, engine: SearchEngine, table: Any
    ) -> None:
        fill(engine, document(1))
        table.execute("drop table vidooly.youtube_channels sync")
        with pytest.raises(Exception, match="is missing: run `python -m schema apply` first"):
            load(search)
        table.execute("create table vidooly.youtube_channels (id String) engine = MergeTree order by id")
        with pytest.raises(Exception, match="partitioned by nothing, not by load_date: rename it"):
            load(search)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"password": "wrong"}, "vidooly_search: .* refuses to search .*: security_exception: missing auth"),
            ({"host": "127.0.0.1"}, "needs a whole address as its host"),
        ],
    )
    def test_a_wrong_connection_is_named(
        self, changed: dict[str, str], message: str, search: SearchImport, engine: SearchEngine, table: Any,
        connection: Callable[..., None],
    ) -> None:  # fmt: skip
        connection("vidooly_search", **{"host": engine.url, "login": LOGIN, "password": PASSWORD, **changed})
        with pytest.raises(Exception, match=message):
            load(search)

    def test_the_password_stands_in_no_error_and_no_log(
        self, search: SearchImport, engine: SearchEngine, table: Any, connection: Callable[..., None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        connection("vidooly_search", host=engine.url, login=LOGIN, password="hush-hush")
        with caplog.at_level("DEBUG"), pytest.raises(Exception, match="refuses") as caught:
            load(search)
        assert "hush-hush" not in f"{caught.value}{caplog.text}"


@pytest.mark.unit
class TestScroll:
    """The protocol alone."""

    def server(self, engine: SearchEngine, **options: Any) -> SearchServer:
        return SearchServer(engine.url, login=LOGIN, password=PASSWORD, first_wait=0.01, **options)

    def read(self, engine: SearchEngine, page_size: int = 3) -> list[str]:
        with self.server(engine) as server:
            pages = server.scroll(INDEX, {"match_all": {}}, ["id", "snippet.title"], page_size=page_size)
            return [found["_id"] for page in pages for found in page.documents]

    def test_pages_are_complete_without_overlap_and_hold_only_the_wanted_fields(self, engine: SearchEngine) -> None:
        fill(engine, *(document(number) for number in range(7)))
        with self.server(engine) as server:
            pages = list(server.scroll(INDEX, {"match_all": {}}, ["id", "snippet.title"], page_size=3))
        assert [(page.total, len(page.documents)) for page in pages] == [(7, 3), (7, 3), (7, 1)]
        assert pages[2].documents[0]["_source"] == {"id": document(6)["id"], "snippet": {"title": "Channel 6"}}

    def test_what_changes_in_the_index_meanwhile_does_not_change_the_scroll(self, engine: SearchEngine) -> None:
        fill(engine, *(document(number) for number in range(7)))
        with self.server(engine) as server:
            pages = server.scroll(INDEX, {"match_all": {}}, ["id"], page_size=3)
            first = next(pages)
            fill(engine, *(document(number) for number in range(50, 60)))
            engine.engine.indices[INDEX].pop(document(6)["id"])
            assert len(first.documents) + sum(len(page.documents) for page in pages) == 7

    @pytest.mark.parametrize("fault", ["busy", "lost"])
    def test_the_first_search_is_sent_again_because_it_begins_anew(self, fault: Any, engine: SearchEngine) -> None:
        fill(engine, *(document(number) for number in range(7)))
        engine.faults += [fault, fault]
        assert len(set(self.read(engine))) == 7

    @pytest.mark.parametrize("fault", ["busy", "lost", "shard", "timeout", "short"])
    def test_a_later_page_is_never_asked_for_again(self, fault: Any, engine: SearchEngine) -> None:
        fill(engine, *(document(number) for number in range(7)))
        engine.faults += ["none", fault]
        with pytest.raises(ScrollLostError):
            self.read(engine)
        assert engine.engine.scrolls == {}, "closed all the same"

    def test_a_scroll_that_has_expired_is_lost(self, engine: SearchEngine) -> None:
        fill(engine, *(document(number) for number in range(7)))
        with self.server(engine) as server:
            pages = server.scroll(INDEX, {"match_all": {}}, ["id"], page_size=3, keep_alive="5m")
            next(pages)
            began = engine.engine.clock()
            engine.engine.clock = lambda: began + 301
            with pytest.raises(ScrollLostError, match="search_context_missing_exception"):
                next(pages)

    def test_a_server_that_stays_busy_a_missing_index_and_a_page_too_large_are_refused(
        self, engine: SearchEngine
    ) -> None:
        with pytest.raises(SearchError, match=r"index_not_found_exception: no such index \[youtube_channels_api\]"):
            self.read(engine)
        fill(engine, document(1))
        with pytest.raises(SearchError, match="must be at most"):
            self.read(engine, page_size=10_001)
        engine.faults += ["busy"] * 4
        with pytest.raises(SearchError, match="HTTP 429: es_rejected_execution_exception"):
            self.read(engine)

    def test_something_else_at_the_address_and_nothing_at_all(self, engine: SearchEngine) -> None:
        fill(engine, document(1))
        engine.faults.append("not_json")
        with pytest.raises(SearchError, match=r"no search server answers at .*: <html>it works"):
            self.read(engine)
        with (
            SearchServer("http://127.0.0.1:9", first_wait=0.01) as server,
            pytest.raises(SearchError, match="no reply: ConnectError"),
        ):
            next(server.scroll(INDEX, {"match_all": {}}, ["id"], page_size=3))


@pytest.mark.unit
def test_declarations_are_checked() -> None:
    base = {"connection": "c", "index": "i", "query": {}, "table": "a.b", "key": "id", "fields": (Field("x", ("x",)),)}
    for changed, message in (
        ({"table": "b"}, "not of the form database.table"),
        ({"key": "i d"}, "not a lower-case identifier"),
        ({"fields": (Field("x; drop", ("x",)),)}, "not a lower-case identifier"),
        ({"index": "a/../b"}, "not the name of an index"),
    ):
        with pytest.raises(ValueError, match=message):
            SearchImport(**{**base, **changed})


@pytest.mark.unit
def test_numbers_flags_and_broken_characters_as_text() -> None:
    assert [search_import.text(value) for value in (None, 5, 1.5, True, "a", "\ud800x", {"a": "ä"})] == [
        None, "5", "1.5", "true", "a", "?x", '{"a": "ä"}',
    ]  # fmt: skip
    assert [search_import.flag(value) for value in (True, False, "true", "False", 1, 0, "yes", 2)] == [
        1, 0, 1, 0, 1, 0, None, None,
    ]  # fmt: skip


@pytest.mark.unit
def test_the_search_engine_as_a_program_names_the_line_that_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from devstack.search.__main__ import fill, main
    from devstack.search.index import Engine

    file = tmp_path / "channels.jsonl"
    file.write_bytes(orjson.dumps(document(1)) + b'\n{"no": "id"}\n')
    assert main(["--port", "0", "--documents", str(file)]) == 1
    assert f"search: {file}, line 2: a JSON object with an id is expected" in capsys.readouterr().err
    file.write_bytes(orjson.dumps(document(1)) + b"\n")
    engine = Engine()
    fill(engine, INDEX, file)
    assert list(engine.indices[INDEX]) == [document(1)["id"]]
