"""95 % intervals over seeds: of a share, and of a mean."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from rnnexp.runtime import checks
from rnnexp.runtime.mean_intervals import mean_interval

_CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate from `n` values and the ends of its 95 % interval; nan where there is none."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, trials: int) -> Interval:
    """Return the share of successes with Wilson's score interval.

        (p + z^2/2n -+ z sqrt(p (1-p)/n + z^2/4n^2)) / (1 + z^2/n),   p = successes / n,  z = 1.96

    With 3 successes in 3 trials the interval still reaches down to 0.44. Without trials all is nan.
    Wilson 1927 (https://doi.org/10.1080/01621459.1927.10502953).

    Raises:
        ArgumentError: Not 0 <= successes <= trials.
    """
    trials = checks.integer("trials", trials, 0)
    successes = checks.integer("successes", successes, 0, trials)
    if trials == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    interval = stats.binomtest(successes, trials).proportion_ci(_CONFIDENCE, method="wilson")
    return Interval(successes / trials, float(interval.low), float(interval.high), trials)


def student_mean(values: np.ndarray) -> Interval:
    """Return the mean of the finite values with Student's interval (`rnnexp.runtime.mean_intervals`).

    For five normally distributed values it covers 95 %, for others little less; the percentile bootstrap,
    which never leaves the range of the values, covers 86 %. One value has no interval.
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean, half_width = mean_interval(values)
    if values.size == 1:
        half_width = math.nan
    return Interval(mean, mean - half_width, mean + half_width, values.size)
