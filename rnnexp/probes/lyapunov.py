"""The Lyapunov spectrum along a trajectory: the growth rates of all directions."""

import dataclasses
from typing import ClassVar

import numpy as np

from rnnexp.probes.jacobians import Jacobians
from rnnexp.probes.orthonormal_frame import Frame
from rnnexp.probes.probe import Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.checks import integer
from rnnexp.runtime.random import generator
from rnnexp.runtime.threads import one_blas_thread

_WINDOWS = 10
_WARM_UP = 0.1
_ZERO = 1e-9
"""Nats per step by which rounding can move a sum of exponents below 0."""


@dataclasses.dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """Lyapunov exponents, nats per step, the largest first.

    Attributes:
        exponents: Means over time and over the samples in which the direction is not mapped to 0, (K,). -inf
            if there is no such sample; nan if the Jacobians of a sample are not finite.
        standard_error: Of `exponents`, (K,): the larger one of the standard errors over samples and over time
            windows; nan if the exponent is not finite, or if there is only one window and one sample. It does
            not cover other kernels.
        lost_share: Share of the samples in which a step maps the direction to exactly 0, (K,).
        states: H, the number of all exponents.
        time_steps: Steps after the warm-up, which are averaged.
    """

    exponents: np.ndarray
    standard_error: np.ndarray
    lost_share: np.ndarray
    states: int
    time_steps: int

    @property
    def lambda_1(self) -> float:
        """The largest exponent, nats per step; above 0: neighbouring states part exponentially."""
        return float(self.exponents[0])

    @property
    def dimension(self) -> float:
        """The Kaplan-Yorke dimension of the attractor, `kaplan_yorke_dimension`."""
        return kaplan_yorke_dimension(self.exponents, self.states)

    @property
    def entropy_rate(self) -> float:
        """Sum of the positive exponents, nats per step: an upper bound of the Kolmogorov-Sinai entropy.

        nan if not all exponents were measured and the last one measured is positive.
        """
        if np.isnan(self.exponents).any() or (len(self.exponents) < self.states and self.exponents[-1] > 0):
            return np.nan
        return float(np.sum(self.exponents, where=self.exponents > 0))


class LyapunovProbe(Probe[LyapunovSpectrum]):
    """The largest Lyapunov exponent along the driven trajectories."""

    name = "lyapunov"
    page = "lyapunov"
    metric_table: ClassVar = {
        "lyapunov/lambda_1": Metric("largest exponent of the driven network", "nats per step"),
    }

    def measure(self, trajectory: Trajectory) -> LyapunovSpectrum:
        """Return the largest exponent."""
        return measure_lyapunov(trajectory.jacobians, exponents=1)


def measure_lyapunov(
    jacobians: Jacobians, exponents: int | None = None, warm_up: int | None = None, seed: int = 0
) -> LyapunovSpectrum:
    """Measure the Lyapunov exponents along the trajectory that the Jacobians belong to.

        J_t Q_{t-1} = Q_t R_t,   lambda_i = mean_t ln |(R_t)_ii|      nats per step

    Q_0 are random orthonormal vectors. The warm-up turns them into the directions that grow most; the rest of
    the trajectory is averaged. Several Jacobians are applied between two QR factorisations, as many as the
    growth so far allows without loss of digits (`rnnexp.probes.orthonormal_frame`).

    If an input drives the trajectories, the exponents are those of the non-autonomous system, conditional on
    the input. `rnnexp.probes.autonomous_jacobians` makes trajectories without input.

    Sources: Benettin et al. 1980 (https://doi.org/10.1007/BF02128236); for recurrent networks Engelken, Wolf
    and Abbott 2023 (https://arxiv.org/abs/2006.02427) and Vogt et al. 2022
    (https://arxiv.org/abs/2006.14123).

    Args:
        jacobians: Of T steps.
        exponents: K, the number of exponents to measure, the largest ones; None: all H. The cost is H^2 K.
        warm_up: Steps before the average, fewer than T; None: a tenth of T.
        seed: Seed of Q_0.

    Raises:
        ArgumentError: `exponents` is not from 1 to H, `warm_up` not from 0 to T-1, or `seed` is negative.

    >>> from rnnexp.probes.jacobians import ElmanJacobians
    >>> halved = ElmanJacobians(np.full((50, 2, 3), 0.5), np.eye(3))
    >>> measure_lyapunov(halved).exponents.round(6)
    array([-0.693147, -0.693147, -0.693147])
    """
    time_steps, samples, states = jacobians.shape
    count = states if exponents is None else integer("exponents", exponents, 1, states)
    warm_up = (
        int(_WARM_UP * time_steps) if warm_up is None else integer("warm_up", warm_up, 0, time_steps - 1)
    )
    random = generator(integer("seed", seed, 0), "probe").normal(size=(samples, states, count))
    edges = np.linspace(warm_up, time_steps, min(_WINDOWS, time_steps - warm_up) + 1).round().astype(int)
    with one_blas_thread():
        frame = Frame(jacobians.forward(), np.linalg.qr(random)[0])
        growth = _growth(frame, edges, (samples, count))
    alive = np.isfinite(growth).all(axis=0)
    mean, error = _mean_and_error(np.where(alive, growth, 0.0), np.diff(edges), alive)
    if not jacobians.finite.all():
        mean, error = np.full(count, np.nan), np.full(count, np.nan)
    order = np.argsort(-mean, kind="stable")
    lost_share = 1 - alive.mean(axis=0)
    return LyapunovSpectrum(mean[order], error[order], lost_share[order], states, time_steps - warm_up)


def kaplan_yorke_dimension(exponents: np.ndarray, states: int) -> float:
    """Return the Kaplan-Yorke dimension.

        D = j + (lambda_1 + ... + lambda_j) / |lambda_{j+1}|,   j the last with lambda_1 + ... + lambda_j >= 0

    0 where lambda_1 < 0 (a point), H where the sum over all H exponents is not negative, nan where an
    exponent is nan or where the sum over fewer than all is still not negative. Source: Kaplan and Yorke 1979
    (https://doi.org/10.1007/BFb0064319).

    Args:
        exponents: The largest K exponents in falling order, (K,).
        states: H.

    >>> kaplan_yorke_dimension(np.array([0.5, 0.0, -1.0]), 3)
    2.5
    """
    sums = np.concatenate([[0.0], np.cumsum(exponents)])
    if np.isnan(sums).any():
        return np.nan
    whole = int(np.flatnonzero(sums >= -_ZERO)[-1])
    if whole == len(exponents):
        return float(states) if whole == states else np.nan
    return whole + max(float(sums[whole]), 0.0) / -float(exponents[whole])


def _growth(frame: Frame, edges: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the growth of every direction between the edges, nats, (windows, B, K)."""
    growth = np.zeros((len(edges), *shape))
    for window, edge in enumerate(edges):
        for stretch in frame.advance(int(edge)):
            if stretch.order is not None:
                growth = np.take_along_axis(growth, stretch.order[np.newaxis], axis=2)
            growth[window] += stretch.log_growth
    # A direction that the warm-up mapped to 0 stays 0.
    growth[1][np.isneginf(growth[0])] = -np.inf
    return growth[1:]


def _mean_and_error(
    growth: np.ndarray, lengths: np.ndarray, alive: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean rate over time and live samples, and its error, (K,), from growths (windows, B, K)."""
    size = growth.shape[2]
    rates = growth / lengths[:, np.newaxis, np.newaxis]
    mean, of_samples = _mean_and_scatter(growth.sum(axis=0) / lengths.sum(), alive)
    everywhere = np.broadcast_to(alive, growth.shape)
    _, of_windows = _mean_and_scatter(rates.reshape(-1, size), everywhere.reshape(-1, size))
    return mean, np.fmax(of_samples, of_windows)


def _mean_and_scatter(values: np.ndarray, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (-inf without live values) and standard error (nan below two) of values (N, K), (K,)."""
    count = alive.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.sum(values, axis=0, where=alive) / count
        deviations = np.where(alive, values - mean, 0.0)
        error = np.sqrt(np.sum(deviations**2, axis=0) / (count - 1) / count)
    return np.where(count > 0, mean, -np.inf), np.where(count > 1, error, np.nan)
