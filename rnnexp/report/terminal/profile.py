"""The gradient at every time step as a few lines of text."""

import itertools
import math
from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LABEL = 8


def profile_lines(log_norms: Sequence[float], width: int, height: int = 4) -> list[str]:
    """Return a chart of log10 ||dl/dh_t|| over t, first step on the left; [] where nothing is finite.

    The highest column is the largest norm, an empty one is the smallest or an exact zero. Both are written on
    the left in decades. Where there are more steps than columns, a column is the mean of its steps.

    Args:
        log_norms: ln ||dl/dh_t||, (T,), first h_1.
        width: Of the lines, characters; at least 20.
        height: Lines of the chart itself, to which one with the names of both ends is added.
    """
    columns = _columns([value / math.log(10) for value in log_norms], width - _LABEL)
    finite = [value for value in columns if math.isfinite(value)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    span = high - low if high - low > 0.1 else 1.0  # a flat profile is no mountain range
    levels = [_level(value, high, span, height) for value in columns]
    lines = ["".join(_block(level, row) for level in levels) for row in range(height - 1, -1, -1)]
    labels = [f"10^{high:z.1f}", *[""] * (height - 2), f"10^{high - span:z.1f}", ""]
    last = f"t = {len(log_norms)}"
    lines.append(f"t = 1{last:>{len(columns) - 5}}")
    return [f"{label:>{_LABEL - 1}} {line}" for label, line in zip(labels, lines, strict=True)]


def _columns(values: Sequence[float], most: int) -> list[float]:
    """Return the values as at least 12 columns and `most` at most, each the mean of its steps."""
    count = min(most, max(12, len(values)))
    edges = [place * len(values) // count for place in range(count + 1)]
    parts = [values[start : max(stop, start + 1)] for start, stop in itertools.pairwise(edges)]
    return [sum(part) / len(part) for part in parts]


def _level(value: float, high: float, span: float, height: int) -> int:
    if not math.isfinite(value):
        return 0
    return round((value - high + span) / span * (8 * height - 1)) + 1


def _block(level: int, row: int) -> str:
    return _BLOCKS[min(max(level - 8 * row, 0), 8)]
