"""What a language model said about large Indian profiles: profile_log events whose profile id is the handle.

Three versions of the prompt: v0.10 asks one thing per event, v0.11 for the audience, v0.12 for gender, place and
languages at once. Answers come in every shape that was seen: text, lists, lists as text, several names in one text,
placeholders, places that do not exist. A share of the profiles was never asked, some were asked twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from devstack.beat import answers, events
from devstack.beat.answers import QUESTIONS
from devstack.world import draws, timeline
from devstack.world.profiles import Profiles
from devstack.world.size import World
from devstack.world.timeline import DAY, Timeline

FEWEST_FOLLOWERS = 100_000
ASKED = 0.8  # share of the profiles, of each question apart
ASKED_TWICE = 0.2
HISTORY_DAYS = 60


@dataclass(frozen=True)
class Answers:
    """Answers about a chunk of profiles, by number."""

    world: World
    chunk: int
    handle: list[str]
    question: np.ndarray  # index into QUESTIONS
    version: list[str]
    bits: np.ndarray  # what the answer is made of
    order: Timeline

    def __len__(self) -> int:
        return len(self.order)

    def messages(self) -> Iterator[events.Message]:
        """profile_log messages in publishing order; their metrics are empty."""
        salt = draws.salt(self.world.seed, self.world.as_of_epoch, "gpt answers", self.chunk)
        identity = draws.event_ids(self.order.event, salt).to_pylist()
        for row, (number, moment) in enumerate(
            zip(self.order.event.tolist(), timeline.texts(self.order.moment), strict=True)
        ):
            handle = self.handle[number]
            answer = answers.answer(QUESTIONS[int(self.question[number])], int(self.bits[number]))
            yield events.profile_log(
                event_id=identity[row],
                source=f"openapi_profile_info_{self.version[number]}",
                platform=events.INSTAGRAM,
                profile_id=handle,
                handle=handle,
                event_timestamp=moment,
                metrics={},
                dimensions={"handle": handle} | answer,
            )


def of(world: World, profiles: Profiles) -> Answers:
    """Answers about the large Indian profiles of a chunk; the first chunk has some about handles that are gone."""
    chunk = int(profiles.number[0])
    random = draws.stream(world.seed, "gpt answers", chunk)
    large = np.flatnonzero((profiles.followers >= FEWEST_FOLLOWERS) & (profiles.country == 0) & profiles.scraped)
    asked = random.random((len(large), len(QUESTIONS))) < ASKED
    who, question = np.nonzero(asked)
    handle = profiles.handle.take(pa.array(large[who])).to_pylist()
    if chunk == 0:
        gone = [text for text in profiles.former_handle.to_pylist() if text is not None]
        handle += [text for text in gone for _ in QUESTIONS]
        question = np.concatenate([question, np.tile(np.arange(len(QUESTIONS)), len(gone))])
    again = np.flatnonzero(random.random(len(handle)) < ASKED_TWICE)
    handle += [handle[row] for row in again.tolist()]
    question = np.concatenate([question, question[again]])
    rows = len(handle)
    moment = (world.as_of_epoch - 600 - random.uniform(0, HISTORY_DAYS, rows) * DAY).astype(np.int64)
    repeated = np.arange(rows - len(again), rows)
    moment[repeated[::3]] = moment[again[::3]]  # asked twice in the same second
    version = [answers.version(QUESTIONS[index], int(row % 5 == 4)) for row, index in enumerate(question.tolist())]
    return Answers(
        world=world,
        chunk=chunk,
        handle=handle,
        question=question,
        version=version,
        bits=random.integers(0, 1 << 40, rows),
        order=timeline.published(world, "gpt answers", chunk, np.arange(rows), moment),
    )
