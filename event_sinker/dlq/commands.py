"""The commands `dlq list | show | replay | export | purge`: what they do, and what a person reads."""

from __future__ import annotations

import argparse
import heapq
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from event_sinker.dlq import export
from event_sinker.dlq.arguments import SHOWN_CHARACTERS
from event_sinker.dlq.queue import DeadLetterQueue, Letter, Selection, event_id
from event_sinker.dlq.replay import Replay, Report, Stop, verdict
from event_sinker.errors import SinkerError
from event_sinker.event_type import EventType
from event_sinker.events import EVENT_TYPES
from event_sinker.json_body import load
from event_sinker.poison import Poison, Reason
from event_sinker.settings import Settings

EXIT_OK = 0
EXIT_NOT_CONFIRMED = 2
EXIT_STILL_DEAD = 4

_PURGE_BATCH = 1000
_UNLIMITED_WIDTH = 200  # of a table that goes into a file or a pipe


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one of the commands; returns the exit code.

    Raises:
        SinkerError: a server or the queue cannot be reached, or a person must act.
    """
    signal.signal(signal.SIGTERM, _terminated)
    commands = {"list": _list, "show": _show, "replay": _replay, "export": _export, "purge": _purge}
    try:
        return commands[options.dlq_command](settings, options)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _terminated(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)  # temporary files go; letters return to the queue by themselves


# --- list -------------------------------------------------------------------------------------------------------------


def _list(settings: Settings, options: argparse.Namespace) -> int:
    events = [EVENT_TYPES[options.event_type]] if options.event_type else settings.served()
    columns = ("event type", "id", "dead since (UTC)", "reason", "detail", "bytes", "event id")
    table = Table(title="dead letters")
    for column in columns:
        table.add_column(column, no_wrap=column in {"id", "reason"}, overflow="fold")
    totals: dict[str, Counter[str]] = {}
    for event in events:
        totals[event.name] = Counter()
        oldest = _oldest(settings, event, options.reason, options.limit, totals[event.name])
        for letter in oldest:
            if options.json:
                print(orjson.dumps(letter).decode())
            else:
                row = letter | {"dead_at": _second(letter["dead_at"]), "bytes": f"{letter['bytes']:,}"}
                table.add_row(*(_printable(value) for value in row.values()))
    if options.json:
        return EXIT_OK
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _UNLIMITED_WIDTH
    console = Console(markup=False, highlight=False, emoji=False, width=width)
    if table.row_count:
        console.print(table)
    for name, reasons in totals.items():
        if reasons:
            console.print(f"{name}: {reasons.total():,} dead letters: {_counts(reasons)}")
    if not any(totals.values()):
        console.print(f"no dead letters ({datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
    elif not table.row_count:
        console.print(f"none with the reason {options.reason}")
    return EXIT_OK


def _oldest(
    settings: Settings, event: EventType, reason: str | None, limit: int, totals: Counter[str]
) -> list[dict[str, Any]]:
    """What a list says about the oldest letters with that reason; all letters are counted."""
    selection = Selection(reason)

    def rows(letters: Iterable[Letter]) -> Iterator[dict[str, Any]]:
        for letter in letters:
            totals[letter.reason] += 1
            if selection.matches(letter):
                yield {
                    "event_type": event.name,
                    "id": letter.id,
                    "dead_at": letter.dead_at,
                    "reason": letter.reason,
                    "detail": letter.detail,
                    "bytes": len(letter.message.body),
                    "event_id": event_id(event, letter.message.body),
                }

    with _looking(settings, event) as letters:
        return heapq.nsmallest(limit, rows(letters), key=lambda row: (not row["dead_at"], row["dead_at"]))


# --- show -------------------------------------------------------------------------------------------------------------


def _show(settings: Settings, options: argparse.Namespace) -> int:
    event = EVENT_TYPES[options.event_type]
    with _looking(settings, event) as letters:
        if options.id:
            letter = next((letter for letter in letters if letter.id == options.id), None)
        else:
            letter = min(letters, key=lambda letter: (not letter.dead_at, letter.dead_at), default=None)
    if letter is None:
        wanted = f" with the id {options.id}: replayed, purged or held by another command" if options.id else ""
        raise SinkerError(f"{event.dead_queue}: no dead letter{wanted}")
    body = export.body_of(letter, event)
    shown = _readable(body)
    if len(shown) > SHOWN_CHARACTERS and not options.full:
        shown = f"{shown[:SHOWN_CHARACTERS]}\n... {len(shown) - SHOWN_CHARACTERS:,} more characters: --full"
    record = export.as_record(letter, event)
    names = ("id", "event_type", "dead_at", "reason", "detail", "column", "exchange", "routing_key")
    for name in names:
        print(f"{name + ':':13}{_printable(record[name])}")
    for title in ("properties", "headers"):
        print(f"{title}:")
        for name, value in record[title].items():
            print(f"  {_printable(name)}: {_printable(orjson.dumps(value).decode())}")
    print(f"body ({len(letter.message.body):,} bytes):\n{shown}")
    print(f"today: {_today(settings, event, letter)}")
    return EXIT_OK


def _readable(body: bytes) -> str:
    """JSON with line breaks, other text as it is; what is no text, or would steer the terminal, is escaped."""
    try:
        return _printable(orjson.dumps(load(body), option=orjson.OPT_INDENT_2).decode())
    except (Poison, orjson.JSONEncodeError, RecursionError):
        return _printable(body.decode("utf-8", "backslashreplace"))


def _today(settings: Settings, event: EventType, letter: Letter) -> str:
    poison = verdict(settings, event, letter)
    if poison:
        column = f" (column {poison.column})" if poison.column else ""
        return f"still {poison.reason.value}{column}: {_printable(poison.detail)}"
    if letter.reason == Reason.REFUSED:
        return "it parses, as it did before; whether ClickHouse takes it, only a replay can tell"
    return "it parses; a replay stores it, unless its event id is stored already"


# --- replay -----------------------------------------------------------------------------------------------------------


def _replay(settings: Settings, options: argparse.Namespace) -> int:
    event = EVENT_TYPES[options.event_type]
    selection = Selection(options.reason, tuple(options.ids))
    # All of the file is read once before anything is stored, so that a broken line costs nothing.
    exported = sum(1 for _ in export.read(options.file, event)) if options.file else None

    def failed(letter: Letter, poison: Poison) -> None:
        if options.file:
            print(f"{options.file}, line {letter.message.tag}: {poison.reason.value}: {_printable(poison.detail)}")

    with (
        Stop(settings.shutdown_grace_seconds) as stop,
        DeadLetterQueue(settings, event, alone=True) as queue,
        _progress(queue.count if exported is None else exported, "replayed") as advance,
    ):
        total = queue.count if exported is None else exported
        source = export.read(options.file, event) if options.file else queue.letters()
        chosen = islice(filter(selection.matches, source), options.limit)
        replay = Replay(
            settings,
            queue,
            stop,
            acknowledge=not options.file,
            dry_run=options.dry_run,
            failed=failed,
            progress=advance,
            warn=lambda text: print(text, file=sys.stderr),
        )
        try:
            report = replay.run(chosen)
        except SinkerError:
            print(_summary(event, replay.report, total, options.dry_run))
            raise
    print(_summary(event, report, total, options.dry_run))
    _note_missed(queue)
    if report.stopped_by:
        print("stopped before the end; run it again for the rest", file=sys.stderr)
        return 128 + report.stopped_by
    return EXIT_STILL_DEAD if report.still_dead else EXIT_OK


def _summary(event: EventType, report: Report, total: int, dry_run: bool) -> str:
    lines = [
        f"{event.name}: {'would be replayed' if dry_run else 'replayed'} {report.replayed:,}, "
        f"already stored {report.already_stored:,}, still dead {report.still_dead.total():,}, "
        f"left {total - report.handled:,}"
    ]
    for reason, count in report.still_dead.most_common():
        lines.append(f"  {reason} {count:,}, for example: {_printable(report.examples[reason])}")
    return "\n".join(lines)


# --- export and purge -------------------------------------------------------------------------------------------------


def _export(settings: Settings, options: argparse.Namespace) -> int:
    event = EVENT_TYPES[options.event_type]
    selection = Selection(options.reason)
    target = export.target_of(options.to)
    written: list[int] = []

    def noted(letters: Iterable[Letter]) -> Iterator[Letter]:
        for letter in letters:
            written.append(letter.message.tag)
            yield letter

    with DeadLetterQueue(settings, event, alone=options.remove) as queue:
        _note_shared(queue)
        with _progress(queue.count, "read") as advance:
            letters = filter(selection.matches, _counted(queue.letters(), advance))
            count = export.write(noted(islice(letters, options.limit)), event, target, queue.run_beside)
        if options.remove:
            queue.acknowledge(written)
        left = queue.count - (count if options.remove else 0)
    _note_missed(queue)
    where = f"written to {target}" if count else "nothing was written"
    print(f"{event.name}: {count:,} dead letters, {where}; {left:,} left in the queue")
    return EXIT_OK


def _purge(settings: Settings, options: argparse.Namespace) -> int:
    event = EVENT_TYPES[options.event_type]
    before = datetime.now(UTC) - options.older_than if options.older_than else None
    selection = Selection(options.reason, tuple(options.ids), before)
    with DeadLetterQueue(settings, event, alone=True) as queue:
        with _progress(queue.count, "read") as advance:
            letters = _counted(queue.letters(), advance)
            chosen = [letter.message.tag for letter in letters if selection.matches(letter)]
        what = f"{len(chosen):,} of {queue.count:,} dead letters of {event.name}"
        if chosen and not options.yes:
            if not sys.stdin.isatty():
                print(f"would delete {what}; nothing was deleted. Add --yes to delete them")
                return EXIT_NOT_CONFIRMED
            if not _agreed(queue, f"Delete {what} for good? [y/N] "):
                print("nothing was deleted")
                return EXIT_NOT_CONFIRMED
        for start in range(0, len(chosen), _PURGE_BATCH):
            queue.acknowledge(chosen[start : start + _PURGE_BATCH])
    print(f"deleted {what}")
    _note_missed(queue)
    return EXIT_OK


def _agreed(queue: DeadLetterQueue, question: str) -> bool:
    """Ask, and hold the letters meanwhile, so that the answer is about exactly these."""
    print(question, end="", flush=True)
    while not select.select([sys.stdin], [], [], 1)[0]:
        queue.serve()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


# --- shared -----------------------------------------------------------------------------------------------------------


@contextmanager
def _looking(settings: Settings, event: EventType) -> Iterator[Iterator[Letter]]:
    """All letters, none of which is taken out."""
    with DeadLetterQueue(settings, event, alone=False) as queue:
        _note_shared(queue)
        with _progress(queue.count, "read") as advance:
            yield _counted(queue.letters(), advance)


def _note_shared(queue: DeadLetterQueue) -> None:
    if queue.shared:
        print(
            f"{queue.event.dead_queue}: another command works on it; letters that it holds are not seen",
            file=sys.stderr,
        )


def _note_missed(queue: DeadLetterQueue) -> None:
    if queue.missed:
        print(
            f"{queue.event.dead_queue}: others took or hold {queue.missed:,} letters; they were not seen",
            file=sys.stderr,
        )


def _counted(letters: Iterable[Letter], advance: Callable[[int], None]) -> Iterator[Letter]:
    for letter in letters:
        advance(1)
        yield letter


@contextmanager
def _progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Progress on stderr, when somebody looks at it."""
    console = Console(stderr=True)
    shown = Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TextColumn(what),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with shown:
        task = shown.add_task("dead letters", total=total)
        yield lambda count: shown.advance(task, count)


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{_printable(reason)} {count:,}" for reason, count in reasons.most_common())


def _second(time: str) -> str:
    try:
        return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return time or "unknown"


def _printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text
    )
