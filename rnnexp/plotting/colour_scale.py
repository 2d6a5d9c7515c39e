"""Colour scales that are distinguishable with every common colour blindness, and readable text on them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_hex, to_rgb

BLACK, WHITE = "#000000", "#ffffff"  # one of the two has a contrast of 4.58 or more on any colour

AMOUNT = ("#eef3f8", "#a9cbe6", "#4a93c9", "#0b5a94")
"""One hue, from nearly white to full colour."""

BALANCE = ("#0b4f86", "#6fa8d6", "#f4f3ef", "#eb9867", "#a84300")
"""Blue below the middle, vermillion above."""


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
        place = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        places, colours = np.linspace(0, 1, len(self.stops)), np.array([to_rgb(stop) for stop in self.stops])
        red, green, blue = (float(np.interp(place, places, channel)) for channel in colours.T)
        return to_hex((red, green, blue))


def ink(background: str) -> str:
    """Return the text colour of higher contrast on `background`."""
    return max((BLACK, WHITE), key=lambda colour: contrast(colour, background))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1 to 21 (Web Content Accessibility Guidelines 2.1, 1.4.3)."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
