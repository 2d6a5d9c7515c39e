"""Common axis ranges of small multiples, so that charts side by side can be compared."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rnnexp.report.html.curves import Curves

_NARROW = 10**0.5  # a logarithmic axis that spans less has hardly any ticks
_MARGIN = 0.05
_NEAREST, _FURTHEST = 3.0, 30.0
"""Decades that a profile shows at least, so that noise looks like noise, and at most: float32 holds 38."""

_HIGHEST = 30.0  # the axis of the loss ends at this many of the largest floors at most
_USUAL = 0.98  # share of a training curve that the axis must show; short peaks may leave it


class Range(NamedTuple):
    """The ends of an axis, and whether they are logarithms to base 10."""

    low: float
    high: float
    log: bool = False

    def inside(self, value: float) -> float:
        """Return the nearest value inside the axis, at least half a margin from its ends."""
        edge = _MARGIN / 2 * (self.high - self.low)
        ends = np.array([self.low + edge, self.high - edge])
        return float(np.clip(value, *(10**ends if self.log else ends)))


def with_margin(low: float, high: float, *, positive: bool = False) -> Range:
    """Return a range around two values; logarithmic for `positive` values that span half a decade."""
    log = positive and low > 0 and high / low >= _NARROW
    low, high = (math.log10(low), math.log10(high)) if log else (low, high)
    margin = _MARGIN * (high - low) or 0.5
    return Range(low - margin, high + margin, log)


def profile_range(curves: Sequence[Curves]) -> Range:
    """Return the decades of the profiles of several groups."""
    bands = [band for found in curves for band in (found.start, found.end)]
    values = np.concatenate([[0.0], *(part for band in bands for part in (band.low, band.high))])
    values = values[np.isfinite(values)]
    low, high = max(float(values.min()), -_FURTHEST), min(float(values.max()), _FURTHEST)
    return with_margin(min(low, high - _NEAREST), high)


def loss_range(floors: np.ndarray, curves: Sequence[Curves]) -> Range:
    """Return a range for the floors and the usual losses of groups in which no run diverged."""
    parts = [_usual(found) for found in curves if not found.diverged]
    values = np.concatenate([floors, *parts])
    values = values[np.isfinite(values)]
    if not values.size:
        return with_margin(0.0, 1.0)
    low, high = (
        float(values.min()),
        min(float(values.max()), _HIGHEST * float(np.nanmax(floors, initial=0.0))),
    )
    return with_margin(*((low, high) if parts else (low / 10, high * 10)), positive=True)


def _usual(curves: Curves) -> np.ndarray:
    finite = [part[np.isfinite(part)] for part in (curves.loss.low, curves.loss.high, curves.validation[1])]
    return np.concatenate([np.quantile(part, [1 - _USUAL, _USUAL]) for part in finite if part.size])
