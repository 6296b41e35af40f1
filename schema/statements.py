"""Reading the DDL files: one statement after the other, with the line where it begins.

Both servers' clients take one statement at a time, and an error must name the statement that caused it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_TOKENS = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
  | (?P<quoted>'(?:[^'\\]|\\.|'')*'|"[^"]*"|`[^`]*`|(?P<dollar>\$\w*\$).*?(?P=dollar))
  | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """One SQL statement of a DDL file; `line` is where its text (not its comment) begins, counted from 1."""

    path: Path
    line: int
    text: str

    @property
    def title(self) -> str:
        """First line of the statement, which names the object it creates."""
        return self.text.splitlines()[0].strip().rstrip("(").strip()

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.title}"


class SchemaError(Exception):
    """A schema could not be applied or is not what the DDL says; the message names file, statement and what to do."""


def read_statements(path: Path) -> list[Statement]:
    """Statements of one file in order. Every statement ends with `;`; SchemaError when the last one does not."""
    source = path.read_text(encoding="utf-8")
    statements: list[Statement] = []
    begin = 0
    for token in _TOKENS.finditer(source):
        if token.lastgroup == "end" or token.group("end"):
            _append(statements, path, source, begin, token.start())
            begin = token.end()
    rest = _without_leading_comments(source[begin:])[1]
    if rest.strip():
        line = source.count("\n", 0, len(source) - len(rest)) + 1
        raise SchemaError(f"{path}:{line}: the last statement does not end with a semicolon; add one")
    return statements


def _append(statements: list[Statement], path: Path, source: str, begin: int, end: int) -> None:
    skipped, text = _without_leading_comments(source[begin:end])
    if text.strip():
        statements.append(Statement(path, source.count("\n", 0, begin + skipped) + 1, text.rstrip()))


def _without_leading_comments(text: str) -> tuple[int, str]:
    match = re.match(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", text, re.DOTALL)
    skipped = match.end() if match else 0
    return skipped, text[skipped:]
