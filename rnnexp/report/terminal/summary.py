"""The summary of a run: the verdicts, the numbers behind them, and where all of it is."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from typing import TypeGuard

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.diagnosis.comparison import EXPONENT, RATE, RATE_KERNELS, RATE_RMS, RATIO, Comparison
from rnnexp.diagnosis.words import times
from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import COLOURS, spelt
from rnnexp.report.terminal.labels import LABEL, print_place

_WIDEST = 100
_NOT_MEASURED = "not measured"

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

_OUTCOMES = {
    "agrees": Text("agrees", "green"),
    "holds": Text("holds", "green"),
    "violated": Text("violated: a fault", "bold red"),
}

Cell = str | Text


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
    console.print(_numbers(summary), width=width)
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
    rows.add_row("gradient", _verdict(summary.gradient_verdict, _reach(summary)))
    rows.add_row("learning", _verdict(summary.learning_verdict, ""))
    for note in summary.notes:
        rows.add_row("note", Text(note, "bold"))
    return rows


def _verdict(verdict: str | None, measured: str) -> Text:
    if verdict is None:
        return Text(_NOT_MEASURED, "dim")
    return Text.assemble(
        (f"{spelt(verdict):<11}", f"bold {COLOURS.get(verdict, '')}"), f" {_MEANINGS.get(verdict, measured)}"
    )


def _reach(summary: Summary) -> str:
    """The ratio in words, for a gradient that vanishes or explodes."""
    if not _measured(summary.log10_ratio):
        return ""
    if math.isinf(summary.log10_ratio):
        return f"nothing at all reaches the {'first' if summary.log10_ratio < 0 else 'last'} step"
    return f"{times(summary.log10_ratio)} at the first step"


def _numbers(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("95 % interval")
    table.add_column("to compare")
    for row in _rows(summary):
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return table


def _rows(summary: Summary) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    yield _ratio_row(summary)
    yield from _theory_rows(summary, RATIO, numbers.ratio)
    yield _rate_row(summary)
    yield from _theory_rows(summary, RATE, numbers.rate)
    if _measured(summary.rate_rms):
        yield _rms_row(summary)
        yield from _theory_rows(summary, RATE_RMS, numbers.rate)
    yield from _kernel_rows(summary)
    if _measured(summary.lambda_1):
        interval = _interval(numbers.rate, summary.lambda_1_low, summary.lambda_1_high)
        yield "lambda_1 (nats per step)", numbers.rate(summary.lambda_1), interval, ""
        yield from _theory_rows(summary, EXPONENT, numbers.rate)
    yield _loss_row(summary)
    yield _error_row(summary)


def _kernel_rows(summary: Summary) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    """The rate over kernels beside mean-field theory, which only an untrained network has."""
    for found in summary.comparisons:
        if found.law.quantity == RATE_KERNELS:
            spread = _interval(numbers.rate, found.low, found.high)
            yield "rms rate, kernels redrawn", numbers.rate(found.measured), spread, ""
            yield from _theory_rows(summary, RATE_KERNELS, numbers.rate)


def _theory_rows(
    summary: Summary, quantity: str, form: Callable[[float], str]
) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    """A line for every theory of `quantity` but terms that say the same as the one above, as printed."""
    above = ""
    for found in summary.comparisons:
        if found.law.quantity != quantity:
            continue
        predicted = form(found.predicted)
        name = Text(f"  {found.law.theory}", "dim")
        if found.law.kind == "upper bound":
            yield name, predicted, "", _OUTCOMES[found.outcome]
        elif found.law.kind == "prediction":
            yield name, predicted, "", _distance(found, form)
        elif predicted != above:
            yield name, predicted, "", ""
        above = predicted


def _distance(found: Comparison, form: Callable[[float], str]) -> Cell:
    """What follows of a prediction: that it lies in the interval, or by how much it is off."""
    difference = form(found.difference)
    sign = "+" if float(difference) > 0 else ""
    return _OUTCOMES.get(found.outcome, f"off by {sign}{difference}")


def _ratio_row(summary: Summary) -> tuple[str, str, str, str]:
    measured = _shown(numbers.ratio, summary.log10_ratio, summary.gradient_verdict == "non_finite")
    interval = _interval(numbers.ratio, summary.ratio_low, summary.ratio_high)
    return "log10 first/last gradient", measured, interval, ""


def _rate_row(summary: Summary) -> tuple[str, str, str, str]:
    measured = _shown(numbers.rate, summary.rate, summary.gradient_verdict == "non_finite")
    interval = _interval(numbers.rate, summary.rate_low, summary.rate_high)
    return "rate (nats per step)", measured, interval, ""


def _rms_row(summary: Summary) -> tuple[str, str, str, str]:
    interval = _interval(numbers.rate, summary.rate_rms_low, summary.rate_rms_high)
    samples = summary.effective_samples
    if not interval and _measured(samples):
        interval = f"{samples:.2g} samples decide"
    return "rms rate (nats per step)", numbers.rate(summary.rate_rms or 0.0), interval, ""


def _loss_row(summary: Summary) -> tuple[str, str, str, str]:
    name = f"loss ({summary.loss_unit})" if summary.loss_unit else "loss"
    measured = _shown(numbers.loss, summary.loss, summary.learning_verdict == "diverged")
    return name, measured, _bits(summary), _named(numbers.loss, summary.floor_loss, "best constant")


def _bits(summary: Summary) -> str:
    """The loss in bits, the unit in which texts are compared."""
    if not summary.loss_unit.startswith("nats per character") or not _measured(summary.loss):
        return ""
    return f"{numbers.loss(summary.loss / math.log(2))} bits"


def _error_row(summary: Summary) -> tuple[str, str, str, str]:
    measured = _shown(numbers.share, summary.error, summary.learning_verdict == "diverged")
    return "error", measured, "", _named(numbers.share, summary.floor_error, "best constant")


def _places(summary: Summary) -> Iterator[tuple[str, str]]:
    yield from (("try" if number == 0 else "or", typed) for number, typed in enumerate(summary.remedies))
    speed = summary.steps_per_second
    pace = f", {numbers.speed(speed)} steps/s" if _measured(speed) else ""
    yield "time", _shown(numbers.duration, summary.seconds) + pace
    places = {"figures": summary.figures, "stored in": summary.run}
    places |= {"open with": summary.open_command, "verdicts": summary.page}
    yield from ((label, os.fspath(place)) for label, place in places.items() if place is not None)


def _measured(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)


def _shown(form: Callable[[float], str], value: float | None, broken: bool = False) -> str:
    """`value` in words; of a run whose verdict is that its numbers broke down, nan is a finding."""
    if _measured(value):
        return form(value)
    return "not finite" if broken and value is not None else _NOT_MEASURED


def _named(form: Callable[[float], str], value: float | None, name: str) -> str:
    return f"{form(value)} {name}" if _measured(value) else ""


def _interval(form: Callable[[float], str], low: float | None, high: float | None) -> str:
    return f"[{form(low)}, {form(high)}]" if _measured(low) and _measured(high) else ""
