"""A value that theory predicts beside its measurement, and how far apart they are.

It imports the standard library only, since the terminal's summary needs it before TensorFlow is imported.
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
"""Differences below these count as none: 1e-4 nats per step is a twentieth of a decade over 1000 steps."""

COLUMNS = (
    *("step", "quantity", "measured", "low", "high", "theory", "kind", "predicted", "difference"),
    *("half_widths", "outcome", "equation", "applies", "source"),
)
"""The columns of `theory.csv`."""


class Law(NamedTuple):
    """What a theory states about one measured quantity.

    Attributes:
        quantity: Metric key of the measured quantity.
        theory: Name of the theory, a few words.
        equation: In one line of ASCII.
        applies: Its assumptions.
        source: A link.
        metric: Metric key of its value, or "".
        kind: "prediction": an equation; "upper bound": measured <= predicted; "term": a step from one law to
            the next, which predicts nothing by itself.
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


class Measured(NamedTuple):
    """A measured number and the ends of its 95 % interval, which are nan where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One measured number and the prediction of one law.

    The interval is over the samples of the measured network and does not cover other kernels, except for
    `theory/rate_kernels`, whose interval is two standard deviations over kernels.

    Attributes:
        law: The law.
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
        """The result of the comparison, at a resolution of 1e-4 nats per step or 0.01 decades.

        A prediction *agrees* if it lies in the interval or is equal at that resolution, else it *differs*. A
        bound *holds* unless the whole interval lies above it. If it is *violated*, the measurement is wrong,
        as the bound is a theorem. A term is only a *term*.
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
    """Return the value of every law under its metric key, and the rate over redrawn kernels.

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
    """Return the comparisons of one measurement, after `step` updates, as rows of `COLUMNS`."""
    table = []
    for found in comparisons:
        known = {**found.law._asdict(), "step": step}
        table.append({name: known[name] if name in known else getattr(found, name) for name in COLUMNS})
    return table


def write(path: Path, table: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV, with the header even if there are no rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(table)
