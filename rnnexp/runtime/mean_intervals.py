"""95 % intervals of a mean: Student's, and the studentized bootstrap for skewed values."""

import functools
import math

import numpy as np

from rnnexp.runtime.checks import ArgumentError, integer

_ENDS = np.array([0.025, 0.975])
_FEW = 16  # values below which the bootstrap is not used
_EQUAL = 1e-24  # share of the variance below which all values of a resample are equal, so that it has no t


def student_factor(samples: int) -> float:
    """Return t of the 95 % interval of a mean: the 0.975 quantile at `samples` - 1 degrees of freedom."""
    from scipy.special import stdtrit  # not above, as no command line should wait for it

    return float(stdtrit(samples - 1, _ENDS[1])) if samples > 1 else math.inf


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval, in float64.

        half_width = t s / sqrt(n),  s^2 = sum_i (v_i - mean)^2 / (n - 1)

    with t the 0.975 quantile of Student's distribution at n - 1 degrees of freedom (Student 1908,
    https://doi.org/10.2307/2331554). One value gives the half-width inf (no spread can be seen); a
    non-finite value gives nan.

    Raises:
        ArgumentError: `values` is empty.

    >>> mean, half_width = mean_interval(np.array([1.0, 3.0]))
    >>> mean, round(half_width, 3)
    (2.0, 12.706)
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    if values.size == 0:
        raise ArgumentError("values", "at least one value", values.tolist())
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
        if not math.isfinite(mean):
            return mean, math.nan
        if values.size == 1:
            return mean, math.inf
        return mean, student_factor(values.size) * float(values.std(ddof=1)) / math.sqrt(values.size)


def studentized_interval(values: np.ndarray, bootstrap: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the mean of finite values, which may be skewed.

        mean - q s / sqrt(n),   q the 0.975 and 0.025 quantile of t* = sqrt(n) (mean* - mean) / s*

    over resamples *: the studentized bootstrap, whose error is of order 1/n where that of percentiles and of
    Student's interval is of order 1/sqrt(n) (Hall 1988, https://doi.org/10.1214/aos/1176350933). A resample
    of equal values has no t* and is left out. Below 16 values Student's interval is returned.

    Args:
        values: v_i, (n,), finite.
        bootstrap: Number of resamples, R.
        seed: Seed of the resamples.

    Returns:
        Both ends; both the mean where all values are equal, -inf and inf of one value.

    Raises:
        ArgumentError: `values` is empty, `bootstrap` is below 1 or `seed` below 0.

    >>> low, high = studentized_interval(np.arange(100.0))
    >>> low < 49.5 < high
    True
    """
    values = np.asarray(values, dtype=np.float64)
    mean, half_width = mean_interval(values)
    spread = values - mean
    variance = float(np.mean(spread**2))
    if len(values) < _FEW or variance <= _EQUAL * mean**2:
        return mean - half_width, mean + half_width
    weights = bootstrap_weights(len(values), bootstrap, seed)
    means = weights @ spread
    variances = weights @ spread**2 - means**2
    varied = variances > _EQUAL * variance
    t = means[varied] / np.sqrt(variances[varied])
    low, high = np.quantile(t, _ENDS) * math.sqrt(variance) if varied.any() else (-math.inf, math.inf)
    return mean - float(high), mean - float(low)


def bootstrap_weights(samples: int, bootstrap: int, seed: int) -> np.ndarray:
    """Return the weight of every sample in every resample, (R, B); rows sum to 1.

    Drawing B of B samples with replacement is one multinomial draw of B counts.

    Raises:
        ArgumentError: `samples` or `bootstrap` is below 1, or `seed` below 0.
    """
    samples, seed = integer("samples", samples, 1), integer("seed", seed, 0)
    return _drawn_weights(samples, integer("bootstrap", bootstrap, 1), seed)


@functools.lru_cache(maxsize=4)
def _drawn_weights(samples: int, bootstrap: int, seed: int) -> np.ndarray:
    """Return the same weights for all quantities of a look, and for all looks: drawing them takes longest."""
    shares = np.full(samples, 1 / samples)
    weights = np.random.default_rng(seed).multinomial(samples, shares, size=bootstrap) / samples
    weights.flags.writeable = False
    return weights
