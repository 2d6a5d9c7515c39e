"""The summary of a run: the verdicts, the numbers behind them, and where all of it is."""

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.diagnosis.comparison import Comparison
from rnnexp.diagnosis.words import times
from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import COLOURS
from rnnexp.report.terminal.summary_table import NOT_MEASURED, is_measured, shown, table_of

_WIDEST = 100
_LABEL = 10

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


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run found. None or nan: not measured.

    Attributes:
        configuration: The run in one line.
        status: How it ended: finished, failed or killed.
        gradient_verdict: vanishing, exploding, stable, borderline, non_finite or not_measured.
        learning_verdict: solved, learning, at_chance, worse_than_chance or diverged.
        loss: Validation loss.
        floor_loss: Loss of the best constant predictor.
        loss_unit: What one unit of both is.
        error: Share of wrong sequences, in [0, 1].
        floor_error: That of the best constant predictor.
        rate: Growth of the gradient of a typical sample per step of lag, nats per step.
        rate_low: Lower end of its 95 % interval.
        rate_high: Upper end of its 95 % interval.
        rate_rms: The same of the root mean square over samples.
        rate_rms_low: Lower end of its 95 % interval.
        rate_rms_high: Upper end of its 95 % interval.
        effective_samples: By how many samples the root mean square is ruled.
        log10_ratio: log10 of ||dl/dh_1|| over ||dl/dh_T||, decades.
        ratio_low: Lower end of its 95 % interval.
        ratio_high: Upper end of its 95 % interval.
        lambda_1: Largest Lyapunov exponent, nats per step; without it there is no row.
        lambda_1_low: Lower end of its 95 % interval.
        lambda_1_high: Upper end of its 95 % interval.
        upper_rates: `rate` and the ends of its interval of the layers above the lowest, by their numbers;
            where there are such, what stands above is of layer 1.
        comparisons: What theory says of them, one line each.
        notes: Sentences that the reader must not miss, such as "diverged at step 312".
        words: The verdict in words, a paragraph.
        remedies: Commands of what to try, the first one first.
        seconds: Duration of the run.
        steps_per_second: Training speed.
        figures: The folder of the figures.
        run: Where the run is stored.
        open_command: The command that opens it.
        page: The address that then lists the verdicts.
    """

    configuration: str
    status: str = "finished"
    gradient_verdict: str | None = None
    learning_verdict: str | None = None
    loss: float | None = None
    floor_loss: float | None = None
    loss_unit: str = ""
    error: float | None = None
    floor_error: float | None = None
    rate: float | None = None
    rate_low: float | None = None
    rate_high: float | None = None
    rate_rms: float | None = None
    rate_rms_low: float | None = None
    rate_rms_high: float | None = None
    effective_samples: float | None = None
    log10_ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    lambda_1: float | None = None
    lambda_1_low: float | None = None
    lambda_1_high: float | None = None
    upper_rates: Mapping[int, tuple[float, float, float]] = dataclasses.field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    words: str = ""
    remedies: tuple[str, ...] = ()
    seconds: float | None = None
    steps_per_second: float | None = None
    figures: str | os.PathLike | None = None
    run: str | None = None
    open_command: str | None = None
    page: str | None = None


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
        console.print(_place(label, text), soft_wrap=True, highlight=False)


def _verdicts(summary: Summary) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(min_width=_LABEL, no_wrap=True, style="dim")
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
    word = verdict.replace("non_", "non-").replace("_", " ")
    return Text.assemble(
        (f"{word:<11}", f"bold {COLOURS.get(verdict, '')}"), f" {_MEANINGS.get(verdict, measured)}"
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
    places = {"figures": summary.figures, "stored in": summary.run}
    places |= {"open with": summary.open_command, "verdicts": summary.page}
    yield from ((label, os.fspath(place)) for label, place in places.items() if place is not None)


def _place(label: str, text: str) -> Text:
    return Text.assemble((f"{label:<{_LABEL}}  ", "dim"), text)
