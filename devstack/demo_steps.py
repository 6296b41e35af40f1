"""Steps of a long job on a console: what runs now, for how long, and what each step handled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

QUIET_SECONDS = 10
"""Without a terminal, a step that still works says so this often."""


@dataclass
class Step:
    """One step: its name, seconds, and `outcome`, one short text that its body sets (rows, events, tables)."""

    name: str
    outcome: str = ""
    doing: str = ""
    seconds: float = 0.0
    begun: float = field(default_factory=time.monotonic)


class Steps:
    """Runs steps one after the other and remembers them for the summary."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.done: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show `name` while the body runs, then its seconds and outcome. An error is shown and raised again."""
        step = Step(name)
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(step, ended), daemon=True)
        watcher.start()
        try:
            yield step
        except BaseException:
            ended.set()
            watcher.join()
            self._console.print(f"  [red]✗[/] {step.name}  [red]failed after {time.monotonic() - step.begun:.1f} s[/]")
            raise
        ended.set()
        watcher.join()
        step.seconds = time.monotonic() - step.begun
        self.done.append(step)
        self._console.print(
            f"  [green]✓[/] {step.name:<34} [dim]{step.seconds:6.1f} s[/]  {step.outcome}", highlight=False
        )

    def _watch(self, step: Step, ended: threading.Event) -> None:
        if self._console.is_terminal:
            with self._console.status("") as status:
                while not ended.wait(0.1):
                    seconds = time.monotonic() - step.begun
                    status.update(f"{step.name} [dim]{seconds:.0f} s[/]  {step.doing}")
            return
        self._console.print(f"  … {step.name}", highlight=False)
        while not ended.wait(QUIET_SECONDS):
            seconds = time.monotonic() - step.begun
            self._console.print(f"    {seconds:.0f} s  {step.doing}", highlight=False, markup=False)

    def table(self) -> Table:
        """Seconds and outcome per step, with the sum."""
        table = Table(title="Steps", title_justify="left", box=None, pad_edge=False, header_style="bold")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        table.add_column("handled")
        for step in self.done:
            table.add_row(step.name, f"{step.seconds:.1f}", step.outcome)
        table.add_row("in all", f"{sum(step.seconds for step in self.done):.1f}", "", style="bold")
        return table
