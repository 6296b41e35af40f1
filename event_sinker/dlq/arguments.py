"""The arguments of `dlq list | show | replay | export | purge`."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from event_sinker.events import EVENT_TYPES
from event_sinker.poison import Reason

SHOWN_CHARACTERS = 4000

_AGE_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_ABOUT = """Messages that could not be stored wait in the dead-letter queue of their event type, with the reason.

  1. `list` and `show` tell what is wrong
  2. mend the cause: the definition, a setting, the table, or the publisher
  3. `replay` stores them; `export` and `purge` are for what nobody can mend

A letter that a command does not take out stays in the queue, however the command ends. While another command holds
letters, they are not seen."""

_REPLAY = """Letters go through the code that stores every batch: parsed by today's definition, dropped if
their event id is stored already, inserted, and only then taken out of the queue. Those that still
cannot be stored stay there unchanged. It ends when it has seen as many letters as were there at its
start.

It can be interrupted at any time and run again; nothing is lost, and no event with an id is stored
twice. For events that may have no id ({without_id}) this cannot be promised: an interrupted
replay may store some of them twice.

exit codes: 0 nothing failed; 4 some letters still cannot be stored; 130 or 143 stopped by Ctrl-C or
SIGTERM""".format(without_id=", ".join(event.name for event in EVENT_TYPES.values() if not event.always_has_id))

_EXPORT = """One JSON object per line and letter: id, event_type, reason, detail, column, dead_at, exchange,
routing_key, headers, properties, and body as text, or body_base64 where it is no UTF-8. In headers,
times become ISO 8601 text in UTC, decimals become text and bytes become {"base64": "..."}. An
existing target is never replaced; without a matching letter nothing is written. A local file is
readable by its owner only; s3:// takes region, endpoint and credentials from the usual AWS variables."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `dlq` with its commands to the command line."""
    dlq = commands.add_parser(
        "dlq",
        help="dead letters: messages that could not be stored",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = dlq.add_subparsers(dest="dlq_command", required=True)

    listing = _part(parts, "list", "list dead letters, oldest first; they stay", "list post_log --reason wrong_type")
    listing.add_argument(
        "event_type", nargs="?", choices=sorted(EVENT_TYPES), help="one event type; default: all that are served"
    )
    _add_reason(listing)
    listing.add_argument(
        "--limit", type=_positive, metavar="N", default=20, help="at most this many per event type (default 20)"
    )
    listing.add_argument("--json", action="store_true", help="JSON lines instead of a table")

    show = _part(parts, "show", "show all of one dead letter; it stays", "show post_log 3f2a91c07b")
    _add_event_type(show)
    which = show.add_mutually_exclusive_group()
    which.add_argument("id", nargs="?", type=_letter_id, help="the letter's id, as `list` shows it")
    which.add_argument("--first", action="store_true", help="the oldest letter, which is also the default")
    show.add_argument(
        "--full", action="store_true", help=f"the whole body, not only its first {SHOWN_CHARACTERS} characters"
    )

    replay = _part(parts, "replay", "store dead letters after their cause was mended", "replay post_log", _REPLAY)
    _add_event_type(replay)
    _add_reason(replay)
    _add_ids(replay)
    _add_limit(replay)
    replay.add_argument(
        "--dry-run",
        action="store_true",
        help="store and take out nothing, only tell what would happen; what ClickHouse would refuse is not foreseen",
    )
    replay.add_argument(
        "--file",
        type=Path,
        metavar="EXPORTED.jsonl",
        help="take the letters from a file that `dlq export` wrote; those that still fail are named by line",
    )

    to_file = _part(
        parts, "export", "write dead letters to a file or to S3", "export post_log --to letters.jsonl --remove", _EXPORT
    )
    _add_event_type(to_file)
    to_file.add_argument("--to", required=True, metavar="PATH|s3://BUCKET/KEY", help="where to write; must not exist")
    _add_reason(to_file)
    _add_limit(to_file)
    to_file.add_argument(
        "--remove", action="store_true", help="take the letters out of the queue, once the file or object is safe"
    )

    purge = _part(parts, "purge", "delete dead letters for good", "purge post_log --older-than 30d --yes")
    _add_event_type(purge)
    _add_reason(purge)
    _add_ids(purge)
    purge.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help="only letters that died longer ago, such as 45m, 12h, 30d or 2w; not those whose time is unknown",
    )
    purge.add_argument(
        "--yes", action="store_true", help="delete without asking; without it and without a terminal: exit code 2"
    )


def _part(parts: Any, name: str, summary: str, example: str, about: str = "") -> argparse.ArgumentParser:
    return parts.add_parser(
        name,
        help=summary,
        description=about or f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: python -m event_sinker dlq {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_event_type(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event_type", choices=sorted(EVENT_TYPES), metavar="EVENT_TYPE", help=", ".join(EVENT_TYPES))


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason",
        metavar="REASON",
        help=f"only letters with this reason: {', '.join(Reason)}; or RabbitMQ's own, such as rejected or expired",
    )


def _add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--id",
        action="append",
        default=[],
        type=_letter_id,
        dest="ids",
        metavar="ID",
        help="only the letter with this id, as `list` shows it; repeatable",
    )


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_positive, metavar="N", help="at most this many letters (default: no limit)")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _letter_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{10}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the id of a letter: ten hex digits, as `dlq list` shows them"
        )
    return text


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age such as 45m, 12h, 30d or 2w")
    return timedelta(**{_AGE_UNITS[match[2]]: int(match[1])})
