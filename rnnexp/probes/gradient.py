"""The gradient at every time step: its profile, its growth rate and its ratio from end to end."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.runtime.checks import ArgumentError, integer

if TYPE_CHECKING:
    from rnnexp.probes.trajectory import Trajectory

_LOWEST = -300.0
"""Nats: a sample lower than this under the largest of its step counts as if it were here, so that a resample
which draws only such samples does not take them for zeros (e^-600 is a float64, e^-800 is not)."""


@dataclasses.dataclass(frozen=True, eq=False)
class GradientProfile:
    """The gradient over time, with 95 % percentile bootstrap intervals over samples.

    Attributes:
        log_norm: ln rms_b ||dl_b/dh_t||, (T,), first h_1, last h_T. -inf is an exact zero of every sample;
            a step with a non-finite sample is +inf or nan.
        rate: Least-squares slope of `log_norm` against the lag, nats per step; negative: vanishing.
            nan where fewer than two steps are usable (always at T = 1: one step has no lag).
        rate_low: Lower end of the interval of `rate`.
        rate_high: Upper end of the interval of `rate`.
        intercept: The fitted line at lag 0, nats: the line is intercept + rate * lag.
        log10_ratio: log10 of rms_b ||dl_b/dh_1|| over rms_b ||dl_b/dh_T||, decades; 0 at T = 1.
            -inf where nothing at all reaches h_1, nan where a norm that it needs is not finite.
        ratio_low: Lower end of the interval of `log10_ratio`.
        ratio_high: Upper end of the interval of `log10_ratio`.
        zero_share: Share of the (T, B) norms that are exactly 0.
        nonfinite_share: Share of the (T, B) norms that are +inf or nan.
    """

    log_norm: np.ndarray
    rate: float
    rate_low: float
    rate_high: float
    intercept: float
    log10_ratio: float
    ratio_low: float
    ratio_high: float
    zero_share: float
    nonfinite_share: float

    @property
    def lag(self) -> np.ndarray:
        """The lag k = T - t of every entry of `log_norm`, (T,): T-1 at h_1, 0 at h_T."""
        return _lags(len(self.log_norm))


class GradientProbe(Probe[GradientProfile]):
    """dl_b/dh_t over time: its profile, its rate and its ratio from end to end."""

    name = "gradient_profile"
    page = "gradient_profile"
    has_figure = True
    metric_table: ClassVar = {
        "grad/rate": Metric("growth of the gradient with the lag", "nats per step of lag"),
        "grad/rate_low": Metric("lower end of the 95 % interval of grad/rate", "nats per step of lag"),
        "grad/rate_high": Metric("upper end of the 95 % interval of grad/rate", "nats per step of lag"),
        "grad/log10_ratio": Metric("gradient at h_1 over gradient at h_T", "decades"),
        "grad/log10_ratio_low": Metric("lower end of the 95 % interval of grad/log10_ratio", "decades"),
        "grad/log10_ratio_high": Metric("upper end of the 95 % interval of grad/log10_ratio", "decades"),
        "grad/zero_share": Metric("the (T, B) norms that are exactly 0", "share"),
        "grad/nonfinite_share": Metric("the (T, B) norms that are +inf or nan", "share"),
    }
    array_table: ClassVar = {
        "log_norm": Array(
            "ln rms_b ||dl_b/dh_t|| of the probe batch's loss at the last scored step", "(T,)", "nats"
        ),
        "rate": Array("grad/rate", "()", "nats per step of lag"),
        "rate_low": Array("grad/rate_low", "()", "nats per step of lag"),
        "rate_high": Array("grad/rate_high", "()", "nats per step of lag"),
    }

    def measure(self, trajectory: "Trajectory") -> GradientProfile:
        """Return the profile of dl_b/dh_t."""
        norms = next(iter(trajectory.log_norms.values()))
        return measure_gradient(norms, trajectory.resamples)

    def metrics(self, result: GradientProfile) -> dict[str, float]:
        """Return rate, ratio, their intervals, and what was not finite."""
        return {
            "grad/rate": result.rate,
            "grad/rate_low": result.rate_low,
            "grad/rate_high": result.rate_high,
            "grad/log10_ratio": result.log10_ratio,
            "grad/log10_ratio_low": result.ratio_low,
            "grad/log10_ratio_high": result.ratio_high,
            "grad/zero_share": result.zero_share,
            "grad/nonfinite_share": result.nonfinite_share,
        }

    def arrays(self, result: GradientProfile) -> dict[str, np.ndarray]:
        """Return the profile and the rate that the figure's line has."""
        rates = {"rate": result.rate, "rate_low": result.rate_low, "rate_high": result.rate_high}
        return {"log_norm": result.log_norm, **{name: np.array(rate) for name, rate in rates.items()}}


def measure_gradient(log_norms: np.ndarray, bootstrap: int = 1000, seed: int = 0) -> GradientProfile:
    """Fit the exponential law of the gradient over time.

        log_norm_t = 1/2 ln mean_b ||dl_b/dh_t||^2  ~  intercept + rate (T - t)

    l_b is the loss of sample b at its last scored step. A lag is *usable* where log_norm is finite: steps at
    which every gradient is exactly zero, or any is not finite, are left out of the fit and show in
    `zero_share` and `nonfinite_share`. The intervals resample the samples, all steps of a sample together
    (Efron 1979, https://doi.org/10.1214/aos/1176344552); a resample with fewer than two usable lags has no
    rate and is left out of its interval. With B = 1 both ends equal the estimate: one sample shows no spread.

    Args:
        log_norms: ln ||dl_b/dh_t||, (T, B). -inf stands for an exact zero, +inf and nan for non-finite.
        bootstrap: Number of resamples, R.
        seed: Seed of the resamples.

    Raises:
        ArgumentError: `log_norms` is not (T, B) or is empty, `bootstrap` is below 1 or `seed` below 0.

    >>> profile = measure_gradient(np.log(0.9) * np.arange(99, -1, -1)[:, None] + np.zeros((100, 8)))
    >>> round(profile.rate, 4), round(profile.log10_ratio, 3)
    (-0.1054, -4.53)
    """
    log_norms = np.asarray(log_norms, dtype=np.float64)
    if log_norms.ndim != 2 or log_norms.size == 0:
        raise ArgumentError("log_norms", "a non-empty array (T, B)", log_norms.shape)
    samples = log_norms.shape[1]
    log_norm = _log_rms(log_norms, np.full((1, samples), 1 / samples))
    resampled = _log_rms(log_norms, bootstrap_weights(samples, bootstrap, seed))
    rate, intercept = _fit(log_norm)
    rate_low, rate_high = _interval(_fit(resampled)[0])
    ratio_low, ratio_high = _interval(_log10_ratio(resampled))
    return GradientProfile(
        log_norm=log_norm[0],
        rate=float(rate[0]),
        rate_low=rate_low,
        rate_high=rate_high,
        intercept=float(intercept[0]),
        log10_ratio=float(_log10_ratio(log_norm)[0]),
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        zero_share=float(np.mean(np.isneginf(log_norms))),
        nonfinite_share=float(np.mean(np.isnan(log_norms) | np.isposinf(log_norms))),
    )


def bootstrap_weights(samples: int, bootstrap: int, seed: int) -> np.ndarray:
    """Return the share that every sample has in every resample, (R, B); rows sum to 1.

    Drawing B of B samples with replacement is one multinomial draw of B counts.

    Raises:
        ArgumentError: `samples` or `bootstrap` is below 1, or `seed` below 0.
    """
    samples = integer("samples", samples, 1)
    generator = np.random.default_rng(integer("seed", seed, 0))
    shares = np.full(samples, 1 / samples)
    return generator.multinomial(samples, shares, size=integer("bootstrap", bootstrap, 1)) / samples


def _lags(steps: int) -> np.ndarray:
    return np.arange(steps - 1, -1, -1, dtype=np.float64)


def _log_rms(log_norms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Log of the rms (R, T) of norms (T, B) under weights (R, B), with the maximum of a step factored out."""
    largest = log_norms.max(axis=1, keepdims=True)
    usable = np.isfinite(largest)
    shift = np.where(usable, largest, 0.0)
    # An unusable step is all zeros, or holds a non-finite norm that a product would spread: set it apart.
    relative = np.where(usable, log_norms - shift, -np.inf)
    relative = np.where(np.isneginf(relative), -np.inf, np.maximum(relative, _LOWEST))
    with np.errstate(divide="ignore"):
        logs = shift[:, 0] + 0.5 * np.log(weights @ np.exp(2 * relative).T)
    return np.where(usable[:, 0], logs, largest[:, 0])


def _fit(log_rms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares over the usable lags of every row of (R, T): slopes (R,) and intercepts (R,)."""
    lag = _lags(log_rms.shape[1])
    usable = np.isfinite(log_rms)
    count = usable.sum(axis=1)
    # 0/0 is the answer here: a row with fewer than two usable lags has the slope nan.
    with np.errstate(invalid="ignore"):
        mean_lag = usable @ lag / count
        mean_log = np.where(usable, log_rms, 0.0).sum(axis=1) / count
        lag_deviation = np.where(usable, lag - mean_lag[:, None], 0.0)
        log_deviation = np.where(usable, log_rms - mean_log[:, None], 0.0)
        slope = np.sum(lag_deviation * log_deviation, axis=1) / np.sum(lag_deviation**2, axis=1)
    return slope, mean_log - slope * mean_lag


def _log10_ratio(log_rms: np.ndarray) -> np.ndarray:
    first, last = log_rms[:, 0], log_rms[:, -1]
    with np.errstate(invalid="ignore"):
        ratio = (first - last) / np.log(10)
    # Zero at both ends is 0/0; what matters is that nothing reaches h_1.
    return np.where(np.isneginf(first) & (last < np.inf), -np.inf, ratio)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of the defined values, as order statistics so that -inf stays exact."""
    defined = values[~np.isnan(values)]
    if defined.size == 0:
        return np.nan, np.nan
    low, high = np.percentile(defined, [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)
