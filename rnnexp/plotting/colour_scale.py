"""Colour scales that are distinguishable with every common colour blindness, and readable text on them."""

import dataclasses
import math
from collections.abc import Sequence

Rgb = tuple[float, float, float]

BLACK, WHITE = "#000000", "#ffffff"  # one of the two has a contrast of 4.58 or more on any colour


@dataclasses.dataclass(frozen=True)
class Scale:
    """Colours from `low` to `high`; values beyond have the colour of the nearer end.

    Attributes:
        low: The value of the first colour.
        high: The value of the last colour.
        stops: Colours `#rrggbb` at equal distances.
    """

    low: float
    high: float
    stops: Sequence[str]

    def __call__(self, value: float) -> str:
        """Return the colour of a value."""
        span = self.high - self.low
        place = 0.5 if span <= 0 else min(1.0, max(0.0, (value - self.low) / span))
        position = place * (len(self.stops) - 1)
        left = min(int(position), len(self.stops) - 2)
        first, second = _rgb(self.stops[left]), _rgb(self.stops[left + 1])
        share = position - left
        return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(first, second, strict=True))


def amount(low: float, high: float) -> Scale:
    """Return a scale of one hue, from nearly white to full colour."""
    return Scale(low, high, ("#eef3f8", "#a9cbe6", "#4a93c9", "#0b5a94"))


def shortfall(low: float, high: float) -> Scale:
    """Return a scale for values of which the low ones are good."""
    return Scale(low, high, ("#0b5a94", "#4a93c9", "#a9cbe6", "#eef3f8"))


def balance(reach: float) -> Scale:
    """Return a scale around 0: blue below, vermillion above."""
    return Scale(-reach, reach, ("#0b4f86", "#6fa8d6", "#f4f3ef", "#eb9867", "#a84300"))


def ink(background: str) -> str:
    """Return the text colour of higher contrast on `background`."""
    return max((BLACK, WHITE), key=lambda colour: contrast(colour, background))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1 to 21 (Web Content Accessibility Guidelines 2.1, 1.4.3)."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def reach(values: Sequence[float]) -> float:
    """Return the largest finite size, 1 where there is none."""
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0) or 1.0


def _luminance(colour: str) -> float:
    linear = [_linear(channel / 255) for channel in _rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _rgb(colour: str) -> Rgb:
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))
