"""How a counter developed: its value at any moment of the past, in closed form.

A value today, a yearly rate, a slow wave and at most one jump per account. Any snapshot of any day can be computed
alone, in any order, and two readers of the same moment see the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HISTORY_DAYS = 400


@dataclass(frozen=True)
class Growth:
    """Parameters per account, arrays of equal length."""

    today: np.ndarray  # value at the end of the history
    rate: np.ndarray  # logarithm of the growth per year; negative for those that shrink
    amplitude: np.ndarray  # of the slow wave, share of the value
    phase: np.ndarray
    period: np.ndarray  # days
    jump: np.ndarray  # 0, or the share by which the value rose at once
    jump_day: np.ndarray  # days before the end of the history

    def at(self, accounts: np.ndarray, days_before: np.ndarray) -> np.ndarray:
        """Values of `accounts` (indexes) `days_before` the end of the history; integers, never negative."""
        angle = self.phase[accounts]
        turn = 2 * np.pi * days_before / self.period[accounts]
        wave = (1 + self.amplitude[accounts] * np.sin(angle + turn)) / (1 + self.amplitude[accounts] * np.sin(angle))
        before_jump = np.where(days_before > self.jump_day[accounts], 1 / (1 + self.jump[accounts]), 1.0)
        value = self.today[accounts] * np.exp(-self.rate[accounts] * days_before / 365) * wave * before_jump
        return np.maximum(np.rint(value), 0).astype(np.int64)


def drawn(random: np.random.Generator, today: np.ndarray, shrinking: float = 0.2, wave: float = 0.012) -> Growth:
    """Growth for each value: about 0.02 to 0.1 % a day, `shrinking` of them slowly less, 12 % had a jump of 1 to 10 %.

    `wave` is the largest amplitude of ups and downs; lifetime counters have nearly none, they hardly ever fall.
    """
    rows = len(today)
    shrinks = random.random(rows) < shrinking
    rate = np.where(shrinks, -np.abs(random.normal(0.06, 0.04, rows)), np.abs(random.normal(0.24, 0.18, rows)))
    return Growth(
        today=today.astype(np.float64),
        rate=rate,
        amplitude=random.uniform(wave / 10, wave, rows),
        phase=random.uniform(0, 2 * np.pi, rows),
        period=random.uniform(20, 90, rows),
        jump=np.where(random.random(rows) < 0.12, random.uniform(0.01, 0.10, rows), 0.0),
        jump_day=random.uniform(0, HISTORY_DAYS, rows),
    )


def share(growth: Growth, rows: range) -> None:
    """Give all `rows` (positions) the development of the first of them, so that they stay tied in every month."""
    for values in (growth.today, growth.rate, growth.amplitude, growth.phase, growth.period, growth.jump):
        values[rows.start : rows.stop] = values[rows.start]
    growth.jump_day[rows.start : rows.stop] = growth.jump_day[rows.start]
