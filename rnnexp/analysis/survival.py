"""Steps to the criterion over seeds, where some runs never met it: the Kaplan-Meier estimate.

    S(s) = prod over s_i <= s of (1 - d_i / n_i)

with d_i the runs that solve their task after s_i steps and n_i those that had not before. A run that does not
solve it is censored: it says that more steps than its budget are needed, and not how many.
"""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from rnnexp.runtime.checks import ArgumentError

_CONFIDENCE = 0.95


class Median(NamedTuple):
    """Steps after which half the runs have solved their task, with the ends of a 95 % interval.

    inf is beyond what was seen: fewer than half solved it, or the seeds are too few to bound it from above.
    nan where there are no runs.
    """

    value: float
    low: float
    high: float


def median_steps(train_steps: np.ndarray, solved: np.ndarray) -> Median:
    """Return the first step at which S <= 1/2, and those at which the ends of the interval of S are.

    The interval of S is Greenwood's under the transform log(-log S), that of the median the steps at which
    it holds 1/2 (Brookmeyer and Crowley 1982, https://doi.org/10.2307/2530286). Five seeds never bound it
    from above: all five lie on one side of the median in one of 16 cases, more than 5 %.

    Args:
        train_steps: (n,) updates to the criterion, or the budget that ended without it.
        solved: (n,) whether the criterion was met.

    Raises:
        ArgumentError: The two have not the same length.

    Source: Kaplan and Meier 1958, https://doi.org/10.1080/01621459.1958.10501452.
    """
    train_steps, solved = np.asarray(train_steps, np.float64), np.asarray(solved, bool)
    if train_steps.shape != solved.shape:
        raise ArgumentError("solved", f"shape {train_steps.shape}, that of the steps", solved.shape)
    if train_steps.size == 0:
        return Median(math.nan, math.nan, math.nan)
    # A run that is censored at the step at which another solves was still under way there.
    sample = stats.CensoredData(uncensored=train_steps[solved], right=train_steps[~solved])
    survival: Any = stats.ecdf(sample).sf
    with warnings.catch_warnings():  # log(-log S) is infinite where S is 1 or 0: no end is known there
        warnings.simplefilter("ignore", RuntimeWarning)
        ends = survival.confidence_interval(_CONFIDENCE, method="log-log")
    steps, events = survival.quantiles, np.isin(survival.quantiles, train_steps[solved])
    estimate = survival.probabilities
    # Where all have solved it, Greenwood's lower end is undefined, and not above the estimate.
    curves = (estimate, np.fmin(ends.low.probabilities, estimate), ends.high.probabilities)
    return Median(*(_first_at_half(steps[events], curve[events]) for curve in curves))


def _first_at_half(train_steps: np.ndarray, curve: np.ndarray) -> float:
    """Return the first step at which a falling curve is 1/2 or less; where it is nan, it has no value."""
    below = np.flatnonzero(curve <= 0.5)
    return float(train_steps[below[0]]) if below.size else math.inf
