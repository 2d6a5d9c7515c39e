"""The progress of training: a live bar at a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.notebook_line import NotebookLine
from rnnexp.report.terminal.profile import profile_lines
from rnnexp.runtime.checks import integer

_LINES = 10
_SILENCE = 60.0
_FIELD = 9
_WIDEST = 100


class Progress(Protocol):
    """Shows the progress of training."""

    def update(self, step: int, loss: float, gradient_norm: float) -> None:
        """Show that `step` steps are done; loss and gradient norm are those of the last one."""

    def profile(self, log_norms: Sequence[float]) -> None:
        """Show ln ||dl/dh_t||, (T,), at a terminal."""

    def say(self, text: str) -> None:
        """Print a line that stays, such as that the gradient has jumped."""


@contextlib.contextmanager
def progress(
    total: int,
    *,
    start: int = 0,
    of: str = "",
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Show the progress of a training while the block runs.

    A terminal gets a live bar, redrawn once a second, and below it the gradient over the time steps; before
    the first step it says that it compiles. A notebook gets one line. A file or pipe gets plain lines: one at
    each tenth of the steps, one after a minute without any, and one for the last step. Speed and time left do
    not count steps before a resume.

    Args:
        total: Steps at the end of training.
        start: Steps that were done before.
        of: Prefix of loss and gradient, such as "median of 3: "; "" for a single network.
        console: Where to write; the standard output by default.
        clock: Seconds, for the plain lines' speed.

    Raises:
        ArgumentError: `total` or `start` is not an integer of at least 0.
    """
    total, start = integer("total", total, 0), integer("start", start, 0)
    console = Console() if console is None else console
    if console.is_jupyter:
        yield NotebookLine(total, start, of, clock)
    elif console.is_interactive:
        with _bar(console, of) as bar:
            try:
                yield _Bar(bar, total, start)
            finally:
                bar.chart = Text()
    else:
        lines = _Lines(total, start, of, console, clock)
        try:
            yield lines
        finally:
            lines.flush()


class _Live(RichProgress):
    """The bar, with a chart below it."""

    chart = Text()

    def get_renderables(self) -> Iterator[RenderableType]:
        """Return what is drawn at each redraw."""
        yield from super().get_renderables()
        if self.chart:
            yield self.chart


class _Bar:
    def __init__(self, bar: _Live, total: int, start: int):
        self._bar = bar
        unknown = _field("-")
        self._task = bar.add_task(
            "", total=total, completed=start, loss=unknown, gradient=unknown, speed="-", left="compiling"
        )

    def update(self, step: int, loss: float, gradient_norm: float) -> None:
        self._bar.update(self._task, completed=step)
        task = self._bar.tasks[self._task]
        self._bar.update(
            self._task,
            loss=_field(numbers.loss(loss)),
            gradient=_field(numbers.norm(gradient_norm)),
            speed=numbers.speed(task.speed),
            left=_left(task),
        )

    def profile(self, log_norms: Sequence[float]) -> None:
        width = min(self._bar.console.width, _WIDEST)
        self._bar.chart = Text("\n".join(profile_lines(log_norms, width)), "cyan")

    def say(self, text: str) -> None:
        _say(self._bar.console, text)


class _Lines:
    def __init__(self, total: int, start: int, of: str, console: Console, clock: Callable[[], float]):
        self._total, self._of, self._console, self._clock = total, of, console, clock
        self._stride = max(1, -(-total // _LINES))
        self._latest: tuple[int, float, float] | None = None
        self._shown_step, self._shown_time = start, clock()

    def update(self, step: int, loss: float, gradient_norm: float) -> None:
        self._latest = (step, loss, gradient_norm)
        tenth = step // self._stride > self._shown_step // self._stride
        if tenth or step >= self._total or self._clock() - self._shown_time >= _SILENCE:
            self.flush()

    def profile(self, log_norms: Sequence[float]) -> None:
        """A file keeps no moving picture."""

    def say(self, text: str) -> None:
        _say(self._console, text)

    def flush(self) -> None:
        """Print the latest step, unless it has been printed."""
        if self._latest is None:
            return
        step, loss, gradient_norm = self._latest
        now = self._clock()
        speed = (step - self._shown_step) / (now - self._shown_time) if now > self._shown_time else None
        parts = [
            self._place(step),
            f"{self._of}loss {numbers.loss(loss):<{_FIELD}}",
            f"grad {numbers.norm(gradient_norm):<{_FIELD}}",
            f"{numbers.speed(speed)} steps/s",
            f"{numbers.duration((self._total - step) / speed) if speed else '-'} left",
        ]
        self._console.print("  ".join(parts), soft_wrap=True, highlight=False, markup=False)
        self._latest, self._shown_step, self._shown_time = None, step, now

    def _place(self, step: int) -> str:
        total = f"{self._total:,}"
        share = 100 * step / self._total if self._total else 100.0
        return f"step {step:>{len(total)},}/{total}  {share:3.0f} %"


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=not console.is_interactive, highlight=False, markup=False)


def _bar(console: Console, of: str) -> _Live:
    return _Live(
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(bar_width=None),
        TextColumn(of + "loss {task.fields[loss]}"),
        TextColumn("grad {task.fields[gradient]}"),
        TextColumn("{task.fields[speed]}/s"),
        TextColumn("{task.fields[left]:<15}"),
        console=console,
        expand=True,
        refresh_per_second=1,
    )


def _field(text: str) -> str:
    """Return `text` padded to a fixed width, so that the bar does not move; nan and inf are red."""
    padded = f"{text:<{_FIELD}}"
    return padded if text == "-" or any(map(str.isdigit, text)) else f"[bold red]{padded}[/]"


def _left(task: Task) -> str:
    """Return the time left, or at the end the duration."""
    if task.finished:
        return f"in {numbers.duration(task.finished_time or 0.0)}"
    return "" if task.time_remaining is None else f"{numbers.duration(task.time_remaining)} left"
