"""The logarithm of what may be exactly 0."""

import math


def ln(value: float) -> float:
    """Return the natural logarithm of a number of at least 0: -inf at 0, nan at nan."""
    return math.log(value) if value != 0 else -math.inf
