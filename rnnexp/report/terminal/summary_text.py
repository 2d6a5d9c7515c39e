"""The summary of a run: the verdicts, the numbers behind them, and where all of it is."""

import math
import os
from collections.abc import Iterator

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.diagnosis.words import times
from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import COLOURS, spelt
from rnnexp.report.terminal.labels import LABEL, print_place
from rnnexp.report.terminal.summary import Summary
from rnnexp.report.terminal.summary_table import NOT_MEASURED, is_measured, shown, table_of

_WIDEST = 100

_MEANINGS = {
    "stable": "it neither vanishes nor explodes over the sequence",
    "borderline": "too close to the threshold to be told",
    "non_finite": "a gradient is not finite",
    "not_measured": "a sequence of one step, or a state that nothing reads",
    "solved": "fewer errors than the task allows",
    "learning": "better than the baseline, and not solved",
    "at_chance": "no better than the baseline, as far as can be told",
    "worse_than_chance": "a constant answer would do better",
    "diverged": "a number of the run is not finite",
}


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Print a summary: the verdicts, the numbers behind them beside theory and floor, and where all of it is.

    Paths and commands are never broken into lines, so that they can be copied. A file or pipe gets text
    without escape codes.
    """
    console = Console() if console is None else console
    width = min(console.width, _WIDEST)
    status = Text(summary.status.lower(), COLOURS.get(summary.status.lower(), ""))
    console.print(Rule(status, align="left", style="dim"), width=width)
    console.print(_verdicts(summary), width=width)
    console.print()
    console.print(table_of(summary), width=width)
    console.print()
    if summary.words:
        console.print(Text(summary.words), width=width)
        console.print()
    for label, text in _places(summary):
        print_place(label, text, console)


def _verdicts(summary: Summary) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(min_width=LABEL, no_wrap=True, style="dim")
    rows.add_column()
    rows.add_row("run", Text(summary.configuration))
    gradient = _verdict(summary.gradient_verdict, _reach(summary))
    rows.add_row("gradient", gradient.append(", in layer 1") if summary.upper_rates else gradient)
    rows.add_row("learning", _verdict(summary.learning_verdict, ""))
    for note in summary.notes:
        rows.add_row("note", Text(note, "bold"))
    return rows


def _verdict(verdict: str | None, measured: str) -> Text:
    if verdict is None:
        return Text(NOT_MEASURED, "dim")
    return Text.assemble(
        (f"{spelt(verdict):<11}", f"bold {COLOURS.get(verdict, '')}"), f" {_MEANINGS.get(verdict, measured)}"
    )


def _reach(summary: Summary) -> str:
    """The ratio in words, for a gradient that vanishes or explodes."""
    if not is_measured(summary.log10_ratio):
        return ""
    if math.isinf(summary.log10_ratio):
        return f"nothing at all reaches the {'first' if summary.log10_ratio < 0 else 'last'} step"
    return f"{times(summary.log10_ratio)} at the first step"


def _places(summary: Summary) -> Iterator[tuple[str, str]]:
    yield from (("try" if number == 0 else "or", typed) for number, typed in enumerate(summary.remedies))
    speed = summary.steps_per_second
    pace = f", {numbers.speed(speed)} steps/s" if is_measured(speed) else ""
    yield "time", shown(numbers.duration, summary.seconds) + pace
    if summary.figures is not None:
        yield "figures", os.fspath(summary.figures)
    yield from summary.place.labelled().items()
