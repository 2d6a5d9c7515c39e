"""The gradient at every time step: its profile, its growth rate and its ratio from end to end."""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from rnnexp.probes.log_rms import log_rms
from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.arrays import filled
from rnnexp.runtime.mean_intervals import bootstrap_weights, studentized_interval
from rnnexp.theory.lags import fitted_lines, fitted_rate

_ENOUGH = 10.0
"""Effective samples below which the bootstrap of a mean square gives no valid interval."""

_LN10 = math.log(10)

_WHEN = "a cell with several states"


@dataclasses.dataclass(frozen=True, eq=False)
class GradientProfile:
    """The gradient over time: of a typical sample, and of the root mean square over samples.

    Attributes:
        log_norm: ln rms_b ||dl_b/dh_t||, (T,), first h_1, last h_T. -inf if all samples are exactly 0, +inf
            or nan if a sample is not finite.
        log_typical: mean_b ln ||dl_b/dh_t||, (T,), over the samples that are not 0; equals `log_norm` if all
            are 0 or one is not finite.
        rate: Mean over samples of the slope of ln ||dl_b/dh_t|| against the lag, nats per step; negative:
            vanishing. nan where no sample has two usable steps (always at T = 1: one step has no lag).
        rate_low: Lower end of the 95 % interval of `rate`; infinite for one sample.
        rate_high: Upper end of the interval of `rate`.
        intercept: The typical line at lag 0, nats: the line is intercept + rate * lag.
        log10_ratio: Mean over samples of log10 ||dl_b/dh_1|| / ||dl_b/dh_T||, decades. -inf if the gradient
            at h_1 is 0 in most samples; nan if T = 1, if an end is not finite, or if every sample is 0 at
            h_T, so that the loss does not depend on it.
        ratio_low: Lower end of the interval of `log10_ratio`.
        ratio_high: Upper end of the interval of `log10_ratio`.
        rate_rms: Slope of `log_norm` against the lag, nats per step.
        rate_rms_low: Lower end of its 95 % interval, nan where `effective_samples` is under 10.
        rate_rms_high: Upper end of that interval.
        effective_samples: (sum_b w_b)^2 / sum_b w_b^2 with w_b = ||dl_b/dh_t||^2, at the step where it is
            least: from 1, if one sample dominates the root mean square, to B. nan if no step is usable.
        zero_share: Share of the (T, B) norms that are exactly 0.
        nonfinite_share: Share of the (T, B) norms that are +inf or nan.
    """

    log_norm: np.ndarray
    log_typical: np.ndarray
    rate: float
    rate_low: float
    rate_high: float
    intercept: float
    log10_ratio: float
    ratio_low: float
    ratio_high: float
    rate_rms: float
    rate_rms_low: float
    rate_rms_high: float
    effective_samples: float
    zero_share: float
    nonfinite_share: float

    @property
    def lag(self) -> np.ndarray:
        """The lag k = T - t of every entry of `log_norm`, (T,): T-1 at h_1, 0 at h_T."""
        return np.arange(len(self.log_norm) - 1, -1, -1, dtype=np.float64)


class GradientProbe(Probe[GradientProfile]):
    """dl_b/dh_t over time: its profile, its rate and its ratio, of a typical sample and of the rms."""

    name = "gradient_profile"
    page = "gradient_profile"
    has_figure = True
    metric_table: ClassVar = {
        "grad/rate": Metric(
            "growth of the gradient of a typical sample with the lag", "nats per step of lag"
        ),
        "grad/rate_low": Metric("lower end of the 95 % interval of grad/rate", "nats per step of lag"),
        "grad/rate_high": Metric("upper end of the 95 % interval of grad/rate", "nats per step of lag"),
        "grad/rate_rms": Metric("growth of the root mean square over samples", "nats per step of lag"),
        "grad/effective_samples": Metric("by how many samples the mean square is ruled", "samples"),
        "grad/log10_ratio": Metric("gradient at h_1 over gradient at h_T of a typical sample", "decades"),
        "grad/log10_ratio_low": Metric(
            "lower end of the 95 % interval of grad/log10_ratio", "decades", attribute="ratio_low"
        ),
        "grad/log10_ratio_high": Metric(
            "upper end of the 95 % interval of grad/log10_ratio", "decades", attribute="ratio_high"
        ),
        "grad/zero_share": Metric("the (T, B) norms that are exactly 0", "share"),
        "grad/nonfinite_share": Metric("the (T, B) norms that are +inf or nan", "share"),
    }
    array_table: ClassVar = {
        "log_norm": Array(
            "ln rms_b ||dl_b/dh_t|| of the probe batch's loss at the last scored step", "(T,)", "nats"
        ),
        "log_typical": Array("mean_b ln ||dl_b/dh_t|| of the same", "(T,)", "nats"),
        "rate": Array("grad/rate", "()", "nats per step of lag"),
        "rate_low": Array("grad/rate_low", "()", "nats per step of lag"),
        "rate_high": Array("grad/rate_high", "()", "nats per step of lag"),
    }

    def measure(self, trajectory: Trajectory) -> GradientProfile:
        """Return the profile of dl_b/dh_t."""
        norms = next(iter(trajectory.log_norms.values()))
        return measure_gradient(norms, trajectory.resamples)


class FurtherStatesProbe(Probe[dict[str, GradientProfile]]):
    """dl_b/ds_t of every state s but the first, t = 1 .. T-1.

    The path from s_t through h_t of the same step is part of dl/dh_t. So s_T has no gradient of its own, and
    there is nothing to measure at T = 1.
    """

    name = "further_states"
    page = "gradient_profile"
    metric_table: ClassVar = {
        "grad/rate_<state>": Metric(
            "grad/rate of another state than h: `grad/rate_c` of an LSTM", "nats per step of lag", _WHEN
        ),
        "grad/log10_ratio_<state>": Metric(
            "the same of grad/log10_ratio: `grad/log10_ratio_c` of an LSTM", "decades", _WHEN
        ),
    }
    array_table: ClassVar = {
        "log_norm_<state>": Array(
            "ln rms_b ||dl_b/ds_t|| of another state: `start_log_norm_c` of an LSTM",
            "(T-1,)",
            "nats",
            _WHEN,
        ),
    }

    def measure(self, trajectory: Trajectory) -> dict[str, GradientProfile] | None:
        """Return the profile of every further state by its name."""
        _, *further = trajectory.log_norms.items()
        if not further or len(trajectory.x) == 1:
            return None
        return {name: measure_gradient(norms[:-1], trajectory.resamples) for name, norms in further}

    def metrics(self, result: dict[str, GradientProfile]) -> dict[str, float]:
        """Return the rates and ratios."""
        rates = {f"grad/rate_{name}": profile.rate for name, profile in result.items()}
        return rates | {f"grad/log10_ratio_{name}": profile.log10_ratio for name, profile in result.items()}

    def arrays(self, result: dict[str, GradientProfile]) -> dict[str, np.ndarray]:
        """Return the profiles."""
        return {f"log_norm_{name}": profile.log_norm for name, profile in result.items()}


def measure_gradient(log_norms: np.ndarray, bootstrap: int = 1000, seed: int = 0) -> GradientProfile:
    """Measure the exponential law of the gradient over time.

        ln ||dl_b/dh_t||  ~  intercept_b + rate_b (T - t),     rate = mean_b rate_b

    l_b is the loss of sample b at its last scored step. The mean of logarithms describes a typical sample and
    tends to the largest Lyapunov exponent. The logarithm of the mean square is dominated by rare samples that
    a batch may not contain, so its interval holds only for many `effective_samples`. All intervals are of
    means over samples (`rnnexp.runtime.mean_intervals.studentized_interval`).

    A step is *usable* if the norm is finite and not 0; others are left out of a sample's slope and count in
    `zero_share` and `nonfinite_share`. A sample that is 0 at h_1 but not at h_T has no finite ratio. If more
    than half of the samples are such, `log10_ratio` is -inf; an end of its interval is -inf if the 95 %
    interval of their share allows for more than half.

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
    log_norms = filled("log_norms", log_norms, "T, B")
    slopes, intercepts = fitted_lines(log_norms[::-1].T)
    sloping = np.isfinite(slopes)
    log_norm = log_rms(log_norms)
    effective = _effective_samples(log_norms)
    return GradientProfile(
        log_norm,
        _typical(log_norms, log_norm),
        *_mean_with_ends(slopes[sloping], bootstrap, seed),
        float(intercepts[sloping].mean()) if sloping.any() else math.nan,
        *_typical_ratio(log_norms, bootstrap, seed),
        fitted_rate(log_norm[::-1]),
        *_rms_interval(log_norms, bootstrap, seed, effective),
        effective,
        zero_share=float(np.mean(np.isneginf(log_norms))),
        nonfinite_share=float(np.mean(np.isnan(log_norms) | np.isposinf(log_norms))),
    )


def _typical(log_norms: np.ndarray, log_norm: np.ndarray) -> np.ndarray:
    """Return the mean over the finite samples, (T,); `log_norm` if it is not finite or no sample is."""
    usable = np.isfinite(log_norms)
    counts = usable.sum(axis=1)
    means = np.where(usable, log_norms, 0.0).sum(axis=1) / np.maximum(counts, 1)
    return np.where(np.isfinite(log_norm) & (counts > 0), means, log_norm)


def _mean_with_ends(values: np.ndarray, bootstrap: int, seed: int) -> tuple[float, float, float]:
    """Return the mean and the ends of its interval; nan without values."""
    if values.size == 0:
        return math.nan, math.nan, math.nan
    return float(values.mean()), *studentized_interval(values, bootstrap, seed)


def _typical_ratio(log_norms: np.ndarray, bootstrap: int, seed: int) -> tuple[float, float, float]:
    """Return the mean ratio of the gradients at h_1 and h_T, decades, and the ends of its interval."""
    first, last = log_norms[0], log_norms[-1]
    read = ~np.isneginf(last)
    samples = int(read.sum())
    broken = np.isnan(first) | np.isposinf(first) | np.isnan(last) | np.isposinf(last)
    if len(log_norms) == 1 or samples == 0 or broken.any():
        return math.nan, math.nan, math.nan
    zero = np.isneginf(first[read])
    ratios = (first[read] - last[read])[~zero] / _LN10
    mean, low, high = _mean_with_ends(ratios, bootstrap, seed)
    share = float(zero.mean())
    half_width = 0.0 if share in (0, 1) else 1.96 / math.sqrt(4 * samples)  # for a share near 1/2
    return (
        -math.inf if share > 1 / 2 else mean,
        -math.inf if share + half_width > 1 / 2 else low,
        -math.inf if share - half_width > 1 / 2 else high,
    )


def _effective_samples(log_norms: np.ndarray) -> float:
    """Return the least (sum w)^2 / sum w^2 of the usable steps, w = norm^2."""
    largest = log_norms.max(axis=1, keepdims=True)
    usable = np.isfinite(largest[:, 0])
    if not usable.any():
        return math.nan
    squares = np.exp(2 * (log_norms[usable] - largest[usable]))
    return float(np.min(squares.sum(axis=1) ** 2 / np.sum(squares**2, axis=1)))


def _rms_interval(log_norms: np.ndarray, bootstrap: int, seed: int, effective: float) -> tuple[float, float]:
    """Return the percentiles 2.5 and 97.5 of the rms rate over resamples of samples (Efron 1979)."""
    weights = bootstrap_weights(log_norms.shape[1], bootstrap, seed)
    if not effective >= _ENOUGH:
        return math.nan, math.nan
    rates = fitted_lines(log_rms(log_norms[::-1], weights))[0]
    rates = rates[~np.isnan(rates)]
    if rates.size == 0:
        return math.nan, math.nan
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)
