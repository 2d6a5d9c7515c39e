"""The table of the numbers of a summary: measured, its interval, and what theory or the floor says."""

import math
from collections.abc import Callable, Iterator
from typing import TypeGuard

from rich.table import Table
from rich.text import Text

from rnnexp.diagnosis.comparison import EXPONENT, RATE, RATE_KERNELS, RATE_RMS, RATIO, Comparison
from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.summary import Summary

NOT_MEASURED = "not measured"

_OUTCOMES = {
    "agrees": Text("agrees", "green"),
    "holds": Text("holds", "green"),
    "violated": Text("violated: a fault", "bold red"),
}

Cell = str | Text


def table_of(summary: Summary) -> Table:
    """Return the table."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("95 % interval")
    table.add_column("to compare")
    for row in _rows(summary):
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return table


def _rows(summary: Summary) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    """The rows; of several layers those of each below its name, and below them those of the network."""
    if summary.upper_rates:
        yield _heading("layer 1")
    yield from _layer_rows(summary)
    for number, (rate, low, high) in summary.upper_rates.items():
        name = Text(f"layer {number}, rate", "bold")
        yield name, shown(numbers.rate, rate), _interval(numbers.rate, low, high), ""
    if summary.upper_rates:
        yield _heading("network")
    yield _loss_row(summary)
    yield _error_row(summary)


def _heading(name: str) -> tuple[Cell, Cell, Cell, Cell]:
    return Text(name, "bold"), "", "", ""


def _layer_rows(summary: Summary) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    yield _ratio_row(summary)
    yield from _theory_rows(summary, RATIO, numbers.ratio)
    yield _rate_row(summary)
    yield from _theory_rows(summary, RATE, numbers.rate)
    if is_measured(summary.rate_rms):
        yield _rms_row(summary)
        yield from _theory_rows(summary, RATE_RMS, numbers.rate)
    yield from _kernel_rows(summary)
    if is_measured(summary.lambda_1):
        interval = _interval(numbers.rate, summary.lambda_1_low, summary.lambda_1_high)
        yield "lambda_1 (nats per step)", numbers.rate(summary.lambda_1), interval, ""
        yield from _theory_rows(summary, EXPONENT, numbers.rate)


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
    measured = shown(numbers.ratio, summary.log10_ratio, summary.gradient_verdict == "non_finite")
    interval = _interval(numbers.ratio, summary.ratio_low, summary.ratio_high)
    return "log10 first/last gradient", measured, interval, ""


def _rate_row(summary: Summary) -> tuple[str, str, str, str]:
    measured = shown(numbers.rate, summary.rate, summary.gradient_verdict == "non_finite")
    interval = _interval(numbers.rate, summary.rate_low, summary.rate_high)
    return "rate (nats per step)", measured, interval, ""


def _rms_row(summary: Summary) -> tuple[str, str, str, str]:
    interval = _interval(numbers.rate, summary.rate_rms_low, summary.rate_rms_high)
    samples = summary.effective_samples
    if not interval and is_measured(samples):
        interval = f"{samples:.2g} samples decide"
    return "rms rate (nats per step)", numbers.rate(summary.rate_rms or 0.0), interval, ""


def _loss_row(summary: Summary) -> tuple[str, str, str, str]:
    name = f"loss ({summary.loss_unit})" if summary.loss_unit else "loss"
    measured = shown(numbers.loss, summary.loss, summary.learning_verdict == "diverged")
    return name, measured, _bits(summary), _named(numbers.loss, summary.floor_loss, "best constant")


def _bits(summary: Summary) -> str:
    """The loss in bits, the unit in which texts are compared."""
    if not summary.loss_unit.startswith("nats per character") or not is_measured(summary.loss):
        return ""
    return f"{numbers.loss(summary.loss / math.log(2))} bits"


def _error_row(summary: Summary) -> tuple[str, str, str, str]:
    measured = shown(numbers.share, summary.error, summary.learning_verdict == "diverged")
    return "error", measured, "", _named(numbers.share, summary.floor_error, "best constant")


def is_measured(value: float | None) -> TypeGuard[float]:
    """Whether there is a number, which may be infinite."""
    return value is not None and not math.isnan(value)


def shown(form: Callable[[float], str], value: float | None, broken: bool = False) -> str:
    """`value` in words; of a run whose verdict is that its numbers broke down, nan is a finding."""
    if is_measured(value):
        return form(value)
    return "not finite" if broken and value is not None else NOT_MEASURED


def _named(form: Callable[[float], str], value: float | None, name: str) -> str:
    return f"{form(value)} {name}" if is_measured(value) else ""


def _interval(form: Callable[[float], str], low: float | None, high: float | None) -> str:
    return f"[{form(low)}, {form(high)}]" if is_measured(low) and is_measured(high) else ""
