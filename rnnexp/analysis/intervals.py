"""95 % intervals over seeds: of a share, and of a mean."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from rnnexp.runtime import checks

_CONFIDENCE = 0.95
_RESAMPLES = 2000


class Interval(NamedTuple):
    """An estimate from `n` values and the ends of its 95 % interval; nan where there is none."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, trials: int) -> Interval:
    """Return the share of successes with Wilson's score interval.

        (p + z^2/2n -+ z sqrt(p (1-p)/n + z^2/4n^2)) / (1 + z^2/n),   p = successes / n,  z = 1.96

    Of 3 successes in 3 trials it still says that the share may be 0.44. Without trials all is nan.
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


def bootstrap_mean(values: np.ndarray) -> Interval:
    """Return the mean of the finite values with the percentile bootstrap interval over 2000 resamples.

    The resamples have a fixed seed: equal values, equal interval. Of few values it is too narrow (it never
    leaves their range); of one there is none. Efron and Tibshirani 1993, chapter 13.
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, math.nan, math.nan, 1)
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), values.size)
