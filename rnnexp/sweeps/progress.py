"""The progress of a sweep, while it runs."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import spelt
from rnnexp.sweeps.grid import Grid
from rnnexp.sweeps.outcome import Outcome

_SILENCE = 60.0  # seconds


class SweepProgress(Protocol):
    """Shows how far a sweep is."""

    def update(self, outcomes: Mapping[int, Outcome]) -> None:
        """Show the jobs as they are now."""


@contextlib.contextmanager
def progress(
    costs: Sequence[float],
    workers: int,
    grid: Grid,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[SweepProgress]:
    """Show how many jobs are done, failed and at work, and the time left.

    A terminal gets one live line, below the grid of results, and a line for each failure. A file or pipe gets
    a line for each job that was run, or one a minute.

    Args:
        costs: What each job is expected to take, in any unit: seconds left follow from those that ended.
        workers: Jobs at the same time.
        grid: Where each job has its place.
        console: Where to write; the standard output by default.
        clock: Seconds.
    """
    console = Console() if console is None else console
    count = Count(costs, workers, clock)
    if console.is_interactive:
        with _Live(
            TextColumn("{task.completed:.0f}/{task.total:.0f} jobs"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}"),
            console=console,
            expand=True,
            transient=True,
            refresh_per_second=2,
        ) as bar:
            yield _Bar(bar, count, grid)
    else:
        yield _Lines(console, count, clock)


class Count:
    """Counts jobs, and estimates the time left from the cost of those that this call has finished."""

    def __init__(self, costs: Sequence[float], workers: int, clock: Callable[[], float]):
        self._costs = list(costs)
        self._workers = workers
        self._clock = clock
        self._started = clock()
        self.total = len(self._costs)
        self.outcomes: Mapping[int, Outcome] = {}

    def update(self, outcomes: Mapping[int, Outcome]) -> list[Outcome]:
        """Take the jobs as they are now, and return those that have ended since the last time."""
        before, self.outcomes = self._ended, outcomes
        fresh = self._ended - before
        return [outcome for number, outcome in outcomes.items() if number in fresh]

    @property
    def done(self) -> int:
        """How many jobs have ended."""
        return len(self._ended)

    @property
    def _ended(self) -> set[int]:
        return {number for number, outcome in self.outcomes.items() if outcome.ended}

    def left(self) -> float | None:
        """Return the seconds that remain; None before a job has finished in this call."""
        timed = [o for o in self.outcomes.values() if o.status == "FINISHED" and o.seconds is not None]
        cost = sum(self._costs[outcome.number] for outcome in timed if outcome.number < self.total)
        if cost <= 0:
            return None
        ended = self._ended
        ahead = sum(cost for number, cost in enumerate(self._costs) if number not in ended)
        return ahead * sum(outcome.seconds or 0.0 for outcome in timed) / cost / self._workers

    def state(self) -> str:
        """Return the counts and the time left in words."""
        failed = sum(outcome.bad for outcome in self.outcomes.values())
        running = sum(outcome.status == "RUNNING" for outcome in self.outcomes.values())
        left = self.left()
        parts = [f"{failed} failed", f"{running} running"]
        if left is not None and self.done < self.total:
            parts.append(f"{numbers.duration(left)} left")
        elif self.done < self.total and running == 0:
            parts.append("starting")
        return "  ".join(parts)


class _Live(RichProgress):
    """The bar, with the grid above it."""

    grid: RenderableType = Text()

    def get_renderables(self) -> Iterator[RenderableType]:
        """Return what is drawn at each redraw."""
        if self.grid:
            yield self.grid
        yield from super().get_renderables()


class _Bar:
    def __init__(self, bar: _Live, count: Count, grid: Grid):
        self._bar, self._count, self._grid = bar, count, grid
        self._task = bar.add_task("", total=count.total, state=count.state())

    def update(self, outcomes: Mapping[int, Outcome]) -> None:
        for outcome in self._count.update(outcomes):
            if outcome.bad:
                _print(self._bar.console, _line(outcome))
        self._bar.grid = self._grid.drawn(outcomes, self._bar.console)
        self._bar.update(self._task, completed=self._count.done, state=self._count.state())


class _Lines:
    def __init__(self, console: Console, count: Count, clock: Callable[[], float]):
        self._console, self._count, self._clock = console, count, clock
        self._last = clock()

    def update(self, outcomes: Mapping[int, Outcome]) -> None:
        fresh = self._count.update(outcomes)
        for done, outcome in enumerate(fresh, self._count.done - len(fresh) + 1):
            if outcome.status != "SKIPPED":
                self._say(done, f"  {_line(outcome)}")
        if not fresh and self._clock() - self._last >= _SILENCE:
            self._say(self._count.done, "")

    def _say(self, done: int, what: str) -> None:
        self._last = self._clock()
        total = str(self._count.total)
        _print(self._console, f"{done:>{len(total)}}/{total} jobs  {self._count.state()}{what}")


def _print(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def _line(outcome: Outcome) -> str:
    note = f": {outcome.note}" if outcome.note else ""
    return f"{outcome.name or f'job {outcome.number}'} {spelt(outcome.result)}{note}"
