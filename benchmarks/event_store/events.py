"""Made-up profile_log events, written to a file day by day in the order of event time, and read back in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np

from event_sinker.events import EVENT_TYPES

EVENT = EVENT_TYPES["profile_log"]
BLOCK, DAY = 10_000, 86_400  # rows of one insert; seconds
COLUMNS = ("event_id", "source", "platform", "profile_id", "handle", "event_timestamp", "metrics", "dimensions")
SOURCES = ("rapidapi-jotucker", "rapidapi-arraybobo", "lama", "rocketapi", "graphapi", "ytapi")


class Population:
    """Profiles whose numbers move daily and whose descriptions change now and then. Repeatable by its seed."""

    def __init__(self, count: int, seed: int) -> None:
        self.random = random = np.random.default_rng(seed)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        self.words = ["".join(random.choice(letters, size)) for size in random.integers(3, 10, 8000).tolist()]
        youtube = random.random(count) < 0.2
        numbers = (17_841_400_000_000_000 + np.cumsum(random.integers(1, 2_000_000, count))).tolist()
        self.platform = np.where(youtube, "YOUTUBE", "INSTAGRAM").tolist()
        self.profile_id = [
            f"UC{random.bytes(11).hex()}" if y else str(n) for n, y in zip(numbers, youtube, strict=True)
        ]
        self.followers, self.rate = random.lognormal(9, 2, count) + 100, random.normal(0.001, 0.003, count)
        self.following, self.media = random.integers(10, 7500, count), random.lognormal(5, 1.2, count)
        self.engaged = (random.random(count) < 0.4).tolist()
        self.handle, self.dimensions = [""] * count, [""] * count
        self.describe(np.arange(count), renamed=1.0)

    def describe(self, chosen: np.ndarray, renamed: float) -> None:
        """Draw new descriptions; the share `renamed` of the profiles also gets a new handle."""
        drawn = self.random.integers(0, len(self.words), (len(chosen), 24)).tolist()
        marks, new_name = (
            self.random.integers(0, 10**7, len(chosen)).tolist(),
            self.random.random(len(chosen)) < renamed,
        )
        for who, numbers, mark, rename in zip(chosen.tolist(), drawn, marks, new_name, strict=True):
            first, last, site, *bio = (self.words[number] for number in numbers)
            if rename:
                self.handle[who] = f"{first}.{last}{mark % 1000}"
            self.dimensions[who] = (
                f'{{"handle":"{self.handle[who]}","full_name":"{first.title()} {last.title()}",'
                f'"bio":"{" ".join(bio[: 6 + mark % 13])}","urls":["https://{site}.example/{mark}"],'
                f'"category":"{self.words[numbers[0] % 60].title()}","is_verified":{str(mark % 9 == 0).lower()}}}'
            )

    def day(self, start: int) -> list[str]:
        """One day's events in the order of time: each profile once, but 3 % of them not at all and 3 % twice.

        A line: event time and arrival in epoch seconds, then COLUMNS as COPY reads them (no value has a backslash).
        """
        random, count = self.random, len(self.handle)
        self.describe(np.flatnonzero(random.random(count) < 0.02), renamed=0.05)
        self.followers *= 1 + self.rate + random.normal(0, 0.001, count)
        self.media += random.random(count) < 0.3
        shuffled, few = random.permutation(count), int(count * 0.03)
        who = np.concatenate([shuffled[few:], shuffled[few : 2 * few]])
        when = random.integers(0, DAY, count)[who]
        when[count - few :] = (when[count - few :] + random.integers(3600, DAY - 3600, few)) % DAY
        order = np.argsort(when, kind="stable")
        who, when = who[order], when[order] + start
        followers = (self.followers[who] + random.integers(0, 5, count)).astype(np.int64)
        likes = (followers * random.uniform(0.001, 0.09, count)).astype(np.int64)
        comments = (likes * random.uniform(0.005, 0.05, count)).astype(np.int64)
        ids = np.frombuffer(random.bytes(16 * count), np.uint8).reshape(count, 16).copy()
        ids[:, 6], ids[:, 8] = ids[:, 6] & 0x0F | 0x40, ids[:, 8] & 0x3F | 0x80  # version 4
        arrays = [when, when + random.integers(1, 10, count), np.datetime_as_string(when.astype("datetime64[s]"))]
        arrays += [followers, self.following[who], self.media[who].astype(int), likes, comments]
        arrays += [random.choice(6, count, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05]), who]
        digits, lines = ids.tobytes().hex(), []
        for at, row in enumerate(zip(*(array.tolist() for array in arrays), strict=True)):
            moment, arrived, text, follows, following, media, liked, commented, source, one = row
            i = digits[32 * at : 32 * at + 32]
            rates = f',"avg_likes":{liked},"avg_comments":{commented},"engagement_rate":{liked / follows:.7f}'
            lines.append(
                f"{moment}\t{arrived}\t{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}\t{SOURCES[source]}\t"
                f"{self.platform[one]}\t{self.profile_id[one]}\t{self.handle[one]}\t{text}\t"
                f'{{"followers":{follows},"following":{following},"media_count":{media}'
                f"{rates if self.engaged[one] else ''}}}\t{self.dimensions[one]}\n"
            )
        return lines


def write_events(path: Path, days: int, profiles: int, seed: int, end: int) -> float:
    """Write the events of the days before `end` (epoch seconds) to the file; returns the mean bytes of one as JSON."""
    population, size = Population(profiles, seed), 0
    with path.open("w", newline="\n") as file:
        for number in range(days):
            lines = population.day(end - (days - number) * DAY)
            size += sum(len(columns(line)) for line in lines)
            file.writelines(lines)
    # Against tab and line end: every column's name and colon, quotes around both but the two objects, commas, braces.
    return size / days / profiles + sum(len(name) + 5 for name in COLUMNS) - 4 - 8 + 1


def columns(line: str) -> str:
    return line.split("\t", 2)[2]


def blocks(path: Path, skip: int = 0) -> Iterator[list[str]]:
    with path.open(newline="\n") as file:
        lines = islice(file, skip, None)
        while block := list(islice(lines, BLOCK)):
            yield block


def moment(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S")
