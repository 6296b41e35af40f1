"""What kind of statement a text is, and where an INSERT's rows begin.

Only as much SQL as a server must know before it hands the text to the engine: quotes, comments and brackets are
skipped, the words outside of them are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from devstack.clickhouse.errors import ClickHouseError

_TOKEN = re.compile(
    r"""
      (?P<space>[\s]+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
    | (?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_STREAMED = frozenset({"SELECT", "WITH", "FROM"})
_ANSWERED = frozenset({"SHOW", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "CHECK"})
_INSERT_HEAD_LIMIT = 1 << 20  # bytes searched for FORMAT or VALUES; what follows them may be any binary data
_AFTER_FORMAT = re.compile(rb"[ \t\f]*\r?\n?")


class Kind(Enum):
    """How a statement is run and answered."""

    SELECT = "select"  # a result that the engine can stream
    ANSWER = "answer"  # SHOW, DESCRIBE, EXISTS, EXPLAIN, CHECK: a result that it cannot stream
    INSERT = "insert"  # an INSERT whose rows come with the request
    COMMAND = "command"  # anything else: no result


@dataclass(frozen=True)
class Statement:
    """One statement.

    `text` is what the engine runs: without its FORMAT clause for SELECT and ANSWER, and for INSERT only the target,
    with a SETTINGS clause apart in `settings`. `format` is the format named by the statement. `data_at` is the offset,
    in the bytes that were parsed, of the first byte of an INSERT's rows. `words` are the first two words in upper case.
    """

    kind: Kind
    text: str
    format: str | None = None
    data_at: int = 0
    words: tuple[str, ...] = ()
    settings: str = ""

    @property
    def changes_session(self) -> bool:
        """True for SET and USE, which change what holds for the later statements of a session."""
        return self.words[:1] in (("SET",), ("USE",))


@dataclass(frozen=True)
class _Token:
    kind: str  # word, quoted or other
    text: str
    start: int
    end: int
    depth: int

    @property
    def top_word(self) -> str:
        return self.text.upper() if self.kind == "word" and self.depth == 0 else ""


def _tokens(sql: str) -> Iterator[_Token]:
    """Every token that is neither space nor comment, with its bracket depth."""
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind == "space":
            continue
        text = match.group()
        if kind == "tag":
            kind = "quoted"
        if kind == "other":
            depth -= text in ")]}"
        yield _Token(kind, text, match.start(), match.end(), depth)
        if kind == "other":
            depth += text in "([{"


def parse(sql: bytes) -> Statement:
    """Classify one statement, which for an INSERT may be followed by its rows in any encoding.

    Raises ClickHouseError for several statements in one text (62, as a server does; the engine alone would run them
    all), for text that is not UTF-8 (36), and for table engines that must not be created here (56).
    """
    head = sql[:_INSERT_HEAD_LIMIT].decode("latin-1")  # one character per byte: offsets are byte offsets
    first = next((token for token in _tokens(head) if token.kind == "word"), None)
    if first is not None and first.text.upper() == "INSERT":
        insert = _parse_insert(sql, head)
        if insert is not None:
            return insert
    tokens = list(_tokens(sql.decode("latin-1")))
    tokens = _single_statement(tokens)
    words = tuple(token.text.upper() for token in tokens if token.kind == "word")[:2]
    end = tokens[-1].end if tokens else len(sql)
    _refuse_engines(tokens)
    if words[:1] and words[0] in _STREAMED | _ANSWERED:
        kind = Kind.SELECT if words[0] in _STREAMED else Kind.ANSWER
        start, stop, name = _format_clause(tokens)
        text = sql[:start] + sql[stop:end] if name else sql[:end]
        return Statement(kind, _text(text), name, words=words)
    return Statement(Kind.COMMAND, _text(sql[:end]), words=words)


def _text(sql: bytes) -> str:
    try:
        return sql.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ClickHouseError(36, f"The statement is not valid UTF-8: {error}", "BAD_ARGUMENTS") from None


def _single_statement(tokens: list[_Token]) -> list[_Token]:
    """The tokens without trailing semicolons."""
    for index, token in enumerate(tokens):
        if token.kind == "other" and token.text == ";" and token.depth == 0:
            rest = next((other for other in tokens[index:] if other.text != ";"), None)
            if rest is not None:
                raise ClickHouseError(
                    62,
                    f"Syntax error (Multi-statements are not allowed): failed at position {rest.start + 1}: "
                    f"{rest.text[:40]}",
                    "SYNTAX_ERROR",
                )
            return tokens[:index]
    return tokens


def _format_clause(tokens: list[_Token]) -> tuple[int, int, str | None]:
    """(start, end, format name) of the FORMAT clause, which stands last or before a SETTINGS clause."""
    for index in range(len(tokens) - 2, 0, -1):
        if tokens[index].top_word == "FORMAT" and tokens[index + 1].kind == "word":
            follows = tokens[index + 2].top_word if index + 2 < len(tokens) else "SETTINGS"
            if follows == "SETTINGS":
                return tokens[index].start, tokens[index + 1].end, tokens[index + 1].text
    return 0, 0, None


def _parse_insert(sql: bytes, head: str) -> Statement | None:
    """An INSERT with rows of its own; None for INSERT ... SELECT."""
    name_is_next = False
    previous: _Token | None = None
    settings_at: int | None = None

    def insert(end: int, format: str | None, data_at: int) -> Statement:
        cut = end if settings_at is None else settings_at
        return Statement(Kind.INSERT, _text(sql[:cut]), format, data_at, ("INSERT", "INTO"), _text(sql[cut:end]))

    for token in _tokens(head):
        if previous is not None and previous.top_word == "FORMAT" and token.kind == "word":
            return insert(previous.start, token.text, _AFTER_FORMAT.match(sql, token.end).end())
        word = token.top_word
        is_name = name_is_next or (previous is not None and previous.text == ".")
        name_is_next = word in {"INTO", "TABLE", "FUNCTION"}
        if is_name and not name_is_next:
            previous = None if token.kind == "word" else token
            continue
        if word == "VALUES":
            return insert(token.start, "Values", token.end)
        if word == "INFILE":
            raise ClickHouseError(78, "Query has infile and was send directly to server", "UNKNOWN_TYPE_OF_QUERY")
        if word in {"SELECT", "WITH", "WATCH"} or (token.depth == 1 and token.text.upper() == "SELECT"):
            return None
        if token.kind == "other" and token.text == ";":
            return None  # no rows follow: looked at again as a statement without any
        if word == "SETTINGS" and settings_at is None:
            settings_at = token.start
        previous = token
    return insert(len(sql), None, len(sql))


def _refuse_engines(tokens: list[_Token]) -> None:
    """ENGINE = Kafka makes the embedded engine's data directory unusable at the next start."""
    for index, token in enumerate(tokens[:-1]):
        if token.kind == "word" and token.text.upper() == "ENGINE":
            name = tokens[index + 1]
            if name.text == "=" and index + 2 < len(tokens):
                name = tokens[index + 2]
            if name.text in {"Kafka", "`Kafka`"}:
                raise ClickHouseError(
                    56,
                    "Unknown table engine Kafka: it would wreck the data directory of the local server. "
                    "Insert through the sinker, or use a real ClickHouse server",
                    "UNKNOWN_STORAGE",
                )
