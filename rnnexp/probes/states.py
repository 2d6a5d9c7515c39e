"""The hidden layer over time: quantiles, saturation, and in how many directions samples differ."""

import dataclasses
from typing import ClassVar

import numpy as np

from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.probes.units import SATURATION
from rnnexp.runtime.arrays import filled
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.threads import one_blas_thread

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles of `States`, Q of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class States:
    """The hidden layer at every step, first t = 1, last t = T.

    A number is nan if an entry of its step is not finite, or if it needs an array that was not given.

    Attributes:
        pre_activation_quantiles: Of a_t over samples and units, (T, Q), Q as in `QUANTILES`.
        state_quantiles: Of h_t over samples and units, (T, Q).
        mean_square: q_t, the mean square of a_t over samples and units, (T,); inf past 1e308.
        saturated: Share of units and samples with |phi'(a_t)| < 0.01, (T,).
        dead: Share of units whose phi'(a_t) is exactly 0 in every sample of the step, (T,).
        effective_rank: Of the samples' deviations from their mean state, (T,), from 1 to min(B - 1, H). 0 if
            all samples are in one state to rounding; nan if B = 1, since there is no deviation then.
        participation_ratio: Of the same deviations, (T,), at most the effective rank; 0 and nan as there.
        nonfinite_share: Share of the (T, B, H) states that are not finite.
    """

    pre_activation_quantiles: np.ndarray
    state_quantiles: np.ndarray
    mean_square: np.ndarray
    saturated: np.ndarray
    dead: np.ndarray
    effective_rank: np.ndarray
    participation_ratio: np.ndarray
    nonfinite_share: float

    @property
    def final_effective_rank(self) -> float:
        """The effective rank at t = T: the number of directions that a readout of h_T can use."""
        return float(self.effective_rank[-1])


class StatesProbe(Probe[States]):
    """The hidden layer over time; with pre-activations and slopes if the cell has one of each per unit."""

    name = "states"
    page = "states"
    has_figure = True
    metric_table: ClassVar = {
        "state/effective_rank": Metric(
            "dimensions that h_T spans over the probe batch", "dimensions", attribute="final_effective_rank"
        ),
    }
    array_table: ClassVar = {
        "effective_rank": Array("dimensions that h_t spans over the probe batch", "(T,)"),
        "participation_ratio": Array("the same by another count, never above it", "(T,)"),
        "state_quantiles": Array("5, 25, 50, 75 and 95 % of h_t over samples and units", "(T, 5)"),
        "pre_activation_quantiles": Array("the same of a_t; nan where a cell has none", "(T, 5)"),
        "mean_square": Array("mean square of a_t over samples and units; nan where a cell has none", "(T,)"),
        "saturated": Array(
            "units and samples with |phi'| < 0.01; nan where a cell has none", "(T,)", "share"
        ),
        "dead": Array("units with phi' = 0 in every sample; nan where a cell has none", "(T,)", "share"),
    }

    def measure(self, trajectory: Trajectory) -> States:
        """Return the states over time."""
        units = trajectory.units
        if units is None or units.pre_activations is None:
            return measure_states(trajectory.hidden)
        return measure_states(trajectory.hidden, units.pre_activations, units.slopes)


def measure_states(
    states: np.ndarray, pre_activations: np.ndarray | None = None, slopes: np.ndarray | None = None
) -> States:
    """Measure the hidden layer at every step.

        q_t = mean_{b,i} a_{t,b,i}^2
        saturated_t = mean_{b,i} [|phi'(a_t)_{b,i}| < 0.01]
        dead_t = mean_i [phi'(a_t)_{b,i} = 0 for all b]
        effective_rank_t = exp(-sum_i p_i ln p_i),   p_i = sigma_i / sum_j sigma_j
        participation_ratio_t = (sum_i sigma_i^2)^2 / sum_i sigma_i^4

    sigma are the singular values of h_t - mean_b h_t, (B, H), so that sigma^2 / (B - 1) are the eigenvalues
    of the states' covariance. Neither number can exceed min(B - 1, H): few samples limit both.
    Sources: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality" (EUSIPCO); for
    the participation ratio Gao et al. 2017 (https://doi.org/10.1101/214262).

    Args:
        states: h_t, (T, B, H).
        pre_activations: a_t, (T, B, H); None where the cell has not one pre-activation per unit.
        slopes: phi'(a_t), (T, B, H); None as above.

    Raises:
        ArgumentError: An array is not (T, B, H), is empty, or has another shape than `states`.

    >>> corners = np.array([[[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]])
    >>> measure_states(corners).effective_rank.round(12), measure_states(corners[:, :2]).effective_rank
    (array([2.]), array([1.]))
    """
    states = filled("states", states, "T, B, H")
    pre_activations = _given("pre_activations", pre_activations, states.shape)
    slopes = _given("slopes", slopes, states.shape)
    known = np.where(_finite_steps(slopes), 1.0, np.nan)
    effective_rank, participation_ratio = _dimensions(states)
    with np.errstate(over="ignore"):
        mean_square = np.mean(np.square(_or_nan(pre_activations)), axis=(1, 2))
    return States(
        pre_activation_quantiles=_quantiles(pre_activations),
        state_quantiles=_quantiles(states),
        mean_square=mean_square,
        saturated=known * np.mean(np.abs(slopes) < SATURATION, axis=(1, 2)),
        dead=known * np.mean(np.all(slopes == 0, axis=1), axis=1),
        effective_rank=effective_rank,
        participation_ratio=participation_ratio,
        nonfinite_share=float(np.mean(~np.isfinite(states))),
    )


def _given(name: str, values: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if values is None:
        return np.full(shape, np.nan)
    values = np.asarray(values, dtype=np.float64)
    if values.shape != shape:
        raise ArgumentError(name, f"an array of the states' shape {shape}", values.shape)
    return values


def _finite_steps(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values).all(axis=(1, 2))


def _or_nan(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _quantiles(values: np.ndarray) -> np.ndarray:
    result = np.full((len(values), len(QUANTILES)), np.nan)
    finite = _finite_steps(values)
    if finite.any():
        flat = values[finite].reshape(np.count_nonzero(finite), -1)
        result[finite] = np.quantile(flat, QUANTILES, axis=1).T
    return result


def _dimensions(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the effective rank and the participation ratio of every step, (T,) each."""
    effective_rank, participation_ratio = np.full((2, len(states)), np.nan)
    usable = _finite_steps(states) & (states.shape[1] > 1)
    if usable.any():
        sigma = _relative_singular_values(states[usable])
        spread = sigma[:, 0] > 0
        shares = sigma / np.where(spread, sigma.sum(axis=1), 1.0)[:, np.newaxis]
        logs = np.log(np.where(shares > 0, shares, 1.0))
        squares = np.square(sigma)
        fourths = np.where(spread, np.sum(np.square(squares), axis=1), 1.0)
        effective_rank[usable] = np.where(spread, np.exp(-np.sum(shares * logs, axis=1)), 0.0)
        participation_ratio[usable] = np.square(squares.sum(axis=1)) / fourths
    return effective_rank, participation_ratio


def _relative_singular_values(states: np.ndarray) -> np.ndarray:
    """Singular values of the deviations of states (N, B, H), up to a factor a step, the largest first.

    All are 0 where no deviation is above the rounding of a product of H numbers.
    """
    largest = np.abs(states).max(axis=(1, 2), keepdims=True)
    scaled = states / np.where(largest > 0, largest, 1.0)
    # Subtract the first sample before the mean: equal states then have deviations of exactly 0.
    deviations = scaled - scaled[:, :1]
    deviations = deviations - deviations.mean(axis=1, keepdims=True)
    size = np.abs(deviations).max(axis=(1, 2), keepdims=True)
    apart = size > np.finfo(np.float64).eps * states.shape[2]
    deviations = np.where(apart, deviations, 0.0) / np.where(apart, size, 1.0)
    with one_blas_thread():
        return np.linalg.svd(deviations, compute_uv=False)
