"""A small chart as SVG coordinates.

The page wants many of them that follow its colours by day and night, flow into one column on a phone, and
cost a millisecond: text and colours are left to the page's style sheet.
"""

import dataclasses
import math

import numpy as np

from rnnexp.report import words

WIDTH, HEIGHT = 320, 210
LEFT, RIGHT, TOP, BOTTOM = 50, 310, 8, 170

_NARROW = 10**0.5  # on less than half a decade a logarithmic axis has hardly a tick


@dataclasses.dataclass(frozen=True)
class Tick:
    """A place on an axis and its label."""

    place: float
    label: str


@dataclasses.dataclass(frozen=True)
class Axis:
    """From values to places.

    Attributes:
        low: The value at `start`.
        high: The value at `end`.
        start: Pixels.
        end: Pixels.
        log: Whether equal factors are equal distances; then `low` is above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        """Return the places of values, nan where there is none."""
        low, high = self._scaled(np.array([self.low, self.high]))
        span = high - low if high > low else 1.0
        return self.start + (self._scaled(np.asarray(values, np.float64)) - low) / span * (
            self.end - self.start
        )

    def ticks(self) -> list[Tick]:
        """Return places of round values."""
        values = log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)
        return [Tick(round(float(self(value)), 1), _label(value)) for value in values]

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if not self.log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log10(values), np.nan)


def x_axis(low: float, high: float) -> Axis:
    """Return the horizontal axis of a chart."""
    return Axis(low, high, LEFT, RIGHT)


def y_axis(low: float, high: float, *, positive: bool = False) -> Axis:
    """Return the vertical axis with a margin; logarithmic for `positive` values that span half a decade."""
    if positive and low > 0 and high / low >= _NARROW:
        factor = (high / low) ** 0.05
        return Axis(low / factor, high * factor, BOTTOM, TOP, log=True)
    margin = 0.05 * (high - low) or 0.5
    return Axis(low - margin, high + margin, BOTTOM, TOP)


def linear_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return at most `most` + 1 multiples of 1, 2 or 5 times a power of ten between `low` and `high`.

    >>> linear_ticks(0, 24), linear_ticks(-3.2, 0.4)
    ([0.0, 5.0, 10.0, 15.0, 20.0], [-3.0, -2.0, -1.0, 0.0])
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next((times for times in (1, 2, 5) if times * power >= raw * (1 - 1e-9)), 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 12) + 0.0 for count in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return powers of ten between `low` and `high`, every so many; where few, their 2 and 5 times too.

    >>> log_ticks(0.003, 2.0), log_ticks(0.03, 0.3)
    ([0.01, 0.1, 1.0], [0.05, 0.1, 0.2])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [10.0**power for power in powers[:: 1 + (len(powers) - 1) // most]]
    if sum(low <= value <= high for value in values) < 2:
        values = [times * 10.0**power for power in powers for times in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def line(x: np.ndarray, y: np.ndarray) -> str:
    """Return the path through points; it is interrupted where one is not finite.

    >>> line(np.arange(4), np.array([1, 2, np.nan, 3]))
    'M0 1L1 2M3 3'
    """
    parts: list[str] = []
    pen = "M"
    for across, down in zip(x, y, strict=True):
        if math.isfinite(across) and math.isfinite(down):
            parts.append(f"{pen}{_short(across)} {_short(down)}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def area(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return the path around the points between two curves, where both are finite.

    >>> area(np.arange(2), np.array([1, 1]), np.array([2, 3]))
    'M0 1L1 1L1 3L0 2Z'
    """
    kept = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if not kept.any():
        return ""
    there, back = zip(x[kept], low[kept], strict=True), zip(x[kept][::-1], high[kept][::-1], strict=True)
    points = [f"{_short(across)} {_short(down)}" for across, down in [*there, *back]]
    return f"M{'L'.join(points)}Z"


def _short(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")


def _label(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000 and value == round(value):
        return words.minus(f"{value:,.0f}" if abs(value) < 100_000 else f"{value:.3g}")
    return words.minus(f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.0e}")
