"""Readers of a live table while it is swapped: how long each of their questions takes."""

# ruff: noqa: S608 -- SQL is built from constants and declarations

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from stir.serving import swap
from stir.serving.naming import PRODUCTION, RunNames
from stir.serving.targets.leaderboard import LEADERBOARD

from benchmarks.serving_path.marts import profiles_of
from benchmarks.serving_path.servers import Servers
from benchmarks.serving_path.worker import FORK

ASK = f"select * from {LEADERBOARD.name} where month = %s and platform = %s and platform_profile_id = %s"
PAUSE = 0.002


@dataclass(frozen=True)
class Reading:
    """Milliseconds of every question, without swaps and with them, and those of the swaps' locks."""

    quiet: list[float]
    swapping: list[float]
    overlapping: list[float]
    """Questions that were under way while a swap held or awaited its lock."""
    locks: list[float]
    attempts: int


def read_while_swapping(servers: Servers, rows: int, swaps: int, readers: int, quiet_seconds: float) -> Reading:
    """Ask without pause of the live leaderboard for a while, then go on while it is exchanged with its previous
    generation `swaps` times.
    """
    with reading(servers, rows, readers) as answers:
        time.sleep(2)
        begin = time.perf_counter()
        time.sleep(quiet_seconds)
        end = time.perf_counter()
        outcomes = [_swap_once(servers, number) for number in range(swaps)]
        over = time.perf_counter()
    asked = np.array(answers)
    starts, seconds = asked[:, 0], asked[:, 1]
    quiet = seconds[(starts >= begin) & (starts < end)] * 1000
    during = (starts >= end) & (starts < over)
    touched = np.zeros(len(starts), bool)
    for committed, outcome in outcomes:
        # From the request for the lock to the commit; the clock of one machine, read in two processes.
        touched |= (starts <= committed) & (starts + seconds >= committed - outcome.locked_ms / 1000)
    return Reading(
        quiet.tolist(),
        (seconds[during] * 1000).tolist(),
        (seconds[touched] * 1000).tolist(),
        [outcome.locked_ms for _, outcome in outcomes],
        sum(outcome.attempts for _, outcome in outcomes),
    )


def _swap_once(servers: Servers, number: int) -> tuple[float, swap.SwapOutcome]:
    """Exchange live table and previous generation, by the same renames as a publication. Returns when it was done."""
    names = RunNames(LEADERBOARD, PRODUCTION, "benchmark", f"swap {number}")
    with closing(servers.postgres.connection()) as connection:
        outcome = swap.roll_back(connection, names, lambda cursor: 1, patience=60)
        done = time.perf_counter()
    time.sleep(0.3)
    return done, outcome


@contextmanager
def reading(servers: Servers, rows: int, readers: int) -> Iterator[list[tuple[float, float]]]:
    """Processes that read all the while; (start, seconds) of each question is in the list at the end.

    SystemExit if one of them met an error or an account without rows.
    """
    ended = FORK.Event()
    pipes, processes = [], []
    answers: list[tuple[float, float]] = []
    for number in range(readers):
        ours, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_read, args=(servers, profiles_of(rows), number, ended, theirs))
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        yield answers
    finally:
        ended.set()
        told = [pipe.recv() for pipe in pipes]
        for process in processes:
            process.join()
    for each in told:
        if isinstance(each, str):
            raise SystemExit(f"a reader failed: {each}")
        answers += each


def _read(servers: Servers, profiles: int, seed: int, ended: Any, pipe: Any) -> None:
    chosen = random.Random(seed)  # noqa: S311 -- which rows are read is no secret
    answers: list[tuple[float, float]] = []
    try:
        with closing(servers.postgres.connection()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not ended.is_set():
                profile = chosen.randrange(profiles)
                platform = "YOUTUBE" if profile % 2 else "INSTAGRAM"
                begin = time.perf_counter()
                cursor.execute(ASK, ("2025-12-01", platform, profile + 1))
                if not cursor.fetchall():
                    raise LookupError(f"account {profile + 1} has no row")
                answers.append((begin, time.perf_counter() - begin))
                time.sleep(PAUSE)
        pipe.send(answers)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


def describe(values: list[float]) -> tuple[str, str, str, str]:
    """Number, median, 99th percentile and highest of milliseconds."""
    if not values:
        return "0", "", "", ""
    middle, late = statistics.median(values), float(np.percentile(values, 99))
    return f"{len(values):,}", f"{middle:.2f}", f"{late:.2f}", f"{max(values):.2f}"
