"""A theory's value beside the measurement that it speaks of, and how far apart they are.

Needs nothing but the standard library: the terminal's summary shows it.
"""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

RATE = "grad/rate"
RATE_RMS = "grad/rate_rms"
RATE_KERNELS = "theory/rate_kernels"
RATIO = "grad/log10_ratio"
EXPONENT = "lyapunov/lambda_1"

_RESOLUTION = {RATE: 1e-4, RATE_RMS: 1e-4, RATE_KERNELS: 1e-4, EXPONENT: 1e-4, RATIO: 1e-2}
"""What counts as equal. 1e-4 nats per step is a twentieth of a decade over 1000 steps."""

COLUMNS = (
    *("step", "quantity", "measured", "low", "high", "theory", "kind", "predicted", "difference"),
    *("half_widths", "outcome", "equation", "applies", "source"),
)
"""The columns of `theory.csv`."""


class Law(NamedTuple):
    """What a theory says of one measured quantity.

    Attributes:
        quantity: Metric key of what is measured.
        theory: Name of the theory, a few words.
        equation: In one line of ASCII.
        applies: What it takes for granted.
        source: Where it comes from, a link.
        metric: Metric key of its value, or "".
        kind: An equation; an inequality, measured <= predicted; or a term of a sum that leads from one law to
            the next, and predicts nothing of these weights by itself.
        module: The module of `rnnexp.theory` that holds it.
    """

    quantity: str
    theory: str
    equation: str
    applies: str
    source: str
    metric: str = ""
    kind: Literal["prediction", "upper bound", "term"] = "prediction"
    module: str = ""


@dataclass(frozen=True)
class Comparison:
    """One measured number and what one law says of it.

    The interval is over the samples of the one network that was measured, and says nothing of other kernels;
    that of `theory/rate_kernels` is of two standard deviations over kernels.

    Attributes:
        law: What says so.
        predicted: Its value, in the unit of the quantity.
        measured: The quantity's value.
        low: Lower end of its 95 % interval; nan where there is none.
        high: Upper end of its 95 % interval; nan where there is none.
    """

    law: Law
    predicted: float
    measured: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """Theory less measurement, predicted - measured; of an upper bound, its slack."""
        return self.predicted - self.measured

    @property
    def half_widths(self) -> float:
        """The difference over half the width of the interval, (high - low) / 2.

        0 where there is no difference, +-inf where there is one and the interval has no width, nan where
        there is no interval.
        """
        half_width = (self.high - self.low) / 2
        if half_width == 0 and self.difference != 0:
            return math.copysign(math.inf, self.difference)
        return self.difference / (half_width or 1.0)

    @property
    def outcome(self) -> Literal["agrees", "differs", "holds", "violated", "term"]:
        """What follows, at a resolution of 1e-4 nats per step, 0.01 decades.

        A prediction *agrees* where it lies in the interval or is equal at that resolution, else it *differs*.
        A bound *holds* unless the whole interval lies above it: then it is *violated*, and as it is a
        theorem, the measurement is at fault. A term is neither.
        """
        if self.law.kind == "term":
            return "term"
        resolution = _RESOLUTION.get(self.law.quantity, 0.0)
        if self.law.kind == "upper bound":
            lowest = self.measured if math.isnan(self.low) else self.low
            return "violated" if lowest > self.predicted + resolution else "holds"
        inside = self.low <= self.predicted <= self.high
        return "agrees" if inside or abs(self.difference) < resolution else "differs"


def metrics(comparisons: Iterable[Comparison]) -> dict[str, float]:
    """Return every law's value under its metric key, and the rate over kernels that mean-field theory is of.

    `theory/rate_kernels` and `theory/rate_kernels_sd` are mean and standard deviation, nats per step;
    `theory/rate_spreads` is (theory/rate - mean) / standard deviation.
    """
    values = {}
    for found in comparisons:
        if found.law.metric:
            values[found.law.metric] = found.predicted
        if found.law.quantity == RATE_KERNELS:
            values[RATE_KERNELS] = found.measured
            values[f"{RATE_KERNELS}_sd"] = (found.high - found.low) / 4
            values["theory/rate_spreads"] = 2 * found.half_widths
    return values


def rows(comparisons: Iterable[Comparison], step: int) -> list[dict[str, Any]]:
    """Return the comparisons of one look as rows of `COLUMNS`; `step` is how many updates came before it."""
    return [_row(found, step) for found in comparisons]


def write(path: Path, table: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV, under a header even where there are none."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(table)


def _row(found: Comparison, step: int) -> dict[str, Any]:
    known = found.law._asdict() | {"step": step}
    return {column: known[column] if column in known else getattr(found, column) for column in COLUMNS}
