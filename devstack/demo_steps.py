"""Steps of a long job on a console: what runs now, for how long, and what each step handled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        with self._watched(step := Step(name)), self._timed(step):
            yield step

    def side_by_side(self, bodies: Mapping[str, Callable[[Step], None]]) -> None:
        """Run several steps at once. The first error is raised when all have ended."""
        steps = [Step(name) for name in bodies]

        def run(step: Step) -> None:
            with self._timed(step):
                bodies[step.name](step)

        with self._watched(*steps), ThreadPoolExecutor(len(steps)) as pool:
            for future in [pool.submit(run, step) for step in steps]:
                future.result()

    @contextmanager
    def _timed(self, step: Step) -> Iterator[None]:
        try:
            yield
        except BaseException:
            step.seconds = time.monotonic() - step.begun
            self._console.print(f"  [red]✗[/] {step.name}  [red]failed after {step.seconds:.1f} s[/]")
            raise
        step.seconds = time.monotonic() - step.begun
        self.done.append(step)
        self._console.print(
            f"  [green]✓[/] {step.name:<34} [dim]{step.seconds:6.1f} s[/]  {step.outcome}",
            highlight=False,
            soft_wrap=True,
        )

    @contextmanager
    def _watched(self, *steps: Step) -> Iterator[None]:
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(steps, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _watch(self, steps: Sequence[Step], ended: threading.Event) -> None:
        begun = min(step.begun for step in steps)

        def doing() -> str:
            return " · ".join(f"{step.name} {step.doing}" for step in steps if not step.seconds)

        if self._console.is_terminal:
            with self._console.status("") as status:
                while not ended.wait(0.1):
                    status.update(f"[dim]{time.monotonic() - begun:.0f} s[/]  {doing()}")
            return
        for step in steps:
            self._console.print(f"  … {step.name}", highlight=False)
        while not ended.wait(QUIET_SECONDS):
            self._console.print(f"    {time.monotonic() - begun:.0f} s  {doing()}", highlight=False, markup=False)

    def table(self) -> Table:
        """Seconds and outcome per step, with the sum."""
        table = Table(title="Steps", title_justify="left", box=None, pad_edge=False, header_style="bold")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        table.add_column("handled")
        for step in self.done:
            table.add_row(step.name, f"{step.seconds:.1f}", step.outcome)
        first, last = min(s.begun for s in self.done), max(s.begun + s.seconds for s in self.done)
        table.add_row("from the first to the last", f"{last - first:.1f}", "", style="bold")
        return table
