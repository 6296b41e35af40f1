"""What is compared: the log tables of the scraper that an event type has, a time window, and single facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from event_sinker.errors import SinkerError
from event_sinker.parity.content import Content, content_of

Entity = tuple[str, ...]  # what a fact is about, in the order of `LogTable.entity`; NULL is ''
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class LogTable:
    """How PostgreSQL logs one event type, in the event's column names. `entity` starts with the platform."""

    entity: tuple[str, ...]
    texts: tuple[str, ...] = ("source",)
    documents: tuple[str, ...] = ("metrics", "dimensions")

    @staticmethod
    def logged_as(column: str) -> str:
        """The name that PostgreSQL has for a column of the event."""
        return "platform_post_id" if column == "shortcode" else column

    def fact(self, reference: str, time: float, values: Sequence[str | None]) -> Fact:
        """The fact of one row; `values` are those of `columns`."""
        keys, texts = len(self.entity), len(self.entity) + len(self.texts)
        return Fact(
            entity=tuple(values[:keys]),
            time=time,
            reference=reference,
            content=content_of(
                dict(zip(self.texts, values[keys:texts], strict=True)),
                dict(zip(self.documents, values[texts:], strict=True)),
                reference,
            ),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a fact is made of, but its id and time."""
        return (*self.entity, *self.texts, *self.documents)


LOG_TABLES = {
    "profile_log": LogTable(entity=("platform", "profile_id")),
    "post_log": LogTable(entity=("platform", "shortcode"), texts=("source", "profile_id")),
    "post_activity_log": LogTable(
        entity=("platform", "shortcode", "actor_profile_id"), texts=("source", "activity_type")
    ),
    "profile_relationship_log": LogTable(
        entity=("platform", "source_profile_id", "target_profile_id"),
        texts=("source", "relationship_type"),
        documents=("source_metrics", "target_metrics", "source_dimensions", "target_dimensions"),
    ),
}


def log_table(event_type: str) -> LogTable:
    """How PostgreSQL logs an event type.

    Raises:
        SinkerError: it does not.
    """
    if event_type not in LOG_TABLES:
        raise SinkerError(
            f"event type {event_type} has no log table in PostgreSQL to be compared with; these have one: "
            f"{', '.join(LOG_TABLES)}"
        )
    return LOG_TABLES[event_type]


@dataclass(frozen=True)
class Window:
    """A span of time, from `start` to before `end`, in epoch seconds."""

    start: int
    end: int

    @classmethod
    def of_days(cls, since: date, until: date) -> Window:
        """Whole UTC days, from `since` to the day before `until`."""
        start, end = (int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in (since, until))
        return cls(start, end)

    def __contains__(self, second: float) -> bool:
        return self.start <= second < self.end

    def widened(self, seconds: int) -> Window:
        return Window(self.start - seconds, self.end + seconds)

    @property
    def days(self) -> list[date]:
        first = datetime.fromtimestamp(self.start, UTC).date()
        return [first + timedelta(number) for number in range((self.end - self.start) // SECONDS_PER_DAY)]


@dataclass(frozen=True)
class Tally:
    """What one side holds of a day and platform."""

    rows: int = 0
    entities: int = 0


@dataclass(frozen=True)
class Fact:
    """One row of the log, or one event. `time` is the scrape time of a row, the publishing time of an event (epoch)."""

    entity: Entity
    time: float
    reference: str  # the row's id or the event_id
    content: Content
