"""The table of the numbers of a summary: measured, its interval, and what theory or the floor says."""

import math
from collections.abc import Callable, Iterator

from rich.table import Table
from rich.text import Text

from rnnexp.diagnosis.comparison import EXPONENT, RATE, RATE_KERNELS, RATE_RMS, RATIO, Comparison, Measured
from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.summary import Summary

NOT_MEASURED = "not measured"

_OUTCOMES = {
    "agrees": Text("agrees", "green"),
    "holds": Text("holds", "green"),
    "violated": Text("violated: a fault", "bold red"),
}

_QUANTITIES = (
    (RATIO, "log10 first/last gradient", numbers.ratio),
    (RATE, "rate (nats per step)", numbers.rate),
    (RATE_RMS, "rms rate (nats per step)", numbers.rate),
    (RATE_KERNELS, "rms rate, kernels redrawn", numbers.rate),
    (EXPONENT, "lambda_1 (nats per step)", numbers.rate),
)
"""What laws speak of, in the order of display: metric key, name, form."""

Cell = str | Text
Row = tuple[Cell, Cell, Cell, Cell]
Form = Callable[[float], str]


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


def _rows(summary: Summary) -> Iterator[Row]:
    """The rows; of several layers those of each below its name, and below them those of the network."""
    several = len(summary.layers) > 1
    if several:
        yield Text("layer 1", "bold"), "", "", ""
    yield from _layer_rows(summary)
    for number, measured in enumerate(summary.layers[1:], start=2):
        rate = measured[RATE]
        name = Text(f"layer {number}, rate", "bold")
        yield name, shown(numbers.rate, rate.value), _interval(numbers.rate, rate), ""
    if several:
        yield Text("network", "bold"), "", "", ""
    yield _loss_row(summary)
    yield _error_row(summary)


def _layer_rows(summary: Summary) -> Iterator[Row]:
    """What was measured, each above the theories of it; every run has the rows of ratio and rate."""
    broken = summary.gradient_verdict == "non_finite"
    for quantity, name, form in _QUANTITIES:
        found, samples = summary.measured(quantity), summary["grad/effective_samples"]
        interval = _interval(form, found)
        if quantity == RATE_RMS and not interval and not math.isnan(samples):
            interval = f"{samples:.2g} samples decide"
        if quantity in (RATIO, RATE) or not math.isnan(found.value):
            yield name, shown(form, found.value, broken), interval, ""
            yield from _theory_rows(summary, quantity, form)


def _theory_rows(summary: Summary, quantity: str, form: Form) -> Iterator[Row]:
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


def _distance(found: Comparison, form: Form) -> Cell:
    """What follows of a prediction: that it lies in the interval, or by how much it is off."""
    difference = form(found.difference)
    sign = "+" if float(difference) > 0 else ""
    return _OUTCOMES.get(found.outcome, f"off by {sign}{difference}")


def _loss_row(summary: Summary) -> Row:
    name = f"loss ({summary.loss_unit})" if summary.loss_unit else "loss"
    bits = summary["val/bits_per_character"]
    in_bits = "" if math.isnan(bits) else f"{numbers.loss(bits)} bits"
    return name, _score(summary, numbers.loss, "loss"), in_bits, _best_constant(summary, numbers.loss, "loss")


def _error_row(summary: Summary) -> Row:
    best = _best_constant(summary, numbers.share, "error")
    return "error", _score(summary, numbers.share, "error"), "", best


def _score(summary: Summary, form: Form, name: str) -> str:
    return shown(form, summary[f"val/{name}"], summary.learning_verdict == "diverged")


def _best_constant(summary: Summary, form: Form, name: str) -> str:
    floor = summary[f"task/floor_{name}"]
    return "" if math.isnan(floor) else f"{form(floor)} best constant"


def shown(form: Form, value: float, broken: bool = False) -> str:
    """`value` in words; of a run whose verdict is that its numbers broke down, nan is a finding."""
    if math.isnan(value):
        return "not finite" if broken else NOT_MEASURED
    return form(value)


def _interval(form: Form, found: Measured) -> str:
    return "" if math.isnan(found.low + found.high) else f"[{form(found.low)}, {form(found.high)}]"
