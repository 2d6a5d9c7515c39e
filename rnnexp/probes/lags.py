"""What each lag contributes to the gradient of the recurrent kernel."""

import abc
import dataclasses
from typing import ClassVar

import numpy as np

from rnnexp.probes.log_rms import Vectors, unit_vectors
from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.arrays import filled, shaped
from rnnexp.runtime.checks import fraction
from rnnexp.runtime.threads import one_blas_thread

_CHUNK = 1 << 17
"""Entries of the kernel's gradients in memory at a time, so that they fit into the processor's cache."""


_WHEN = "a recurrent kernel, one layer"
"""Which runs have the metric and the arrays: of a layer below another, dl_b/dh_{t-1} has further terms."""


@dataclasses.dataclass(frozen=True, eq=False)
class ByLag(abc.ABC):
    """Norms by lag k = T - t: the first entry is lag 0, that is t = T.

    Attributes:
        log_norm: ln of the norms, (T,), nats; -inf is an exact zero.
    """

    log_norm: np.ndarray

    @property
    def cumulative(self) -> np.ndarray:
        """The share of the norms within each lag, (T,), rising to 1; nan if it is not defined."""
        largest = self.log_norm.max()
        if not np.isfinite(largest):
            return np.full(len(self.log_norm), np.nan)
        sums = np.cumsum(np.exp(self.log_norm - largest))
        return sums / sums[-1]

    def lag_within(self, part: float) -> float:
        """Return the smallest K with cumulative_K >= part, in steps; nan where that is not defined.

        Raises:
            ArgumentError: `part` is not in [0, 1).
        """
        reached = self.cumulative >= fraction("part", part)
        return float(reached.argmax()) if reached.any() else np.nan


@dataclasses.dataclass(frozen=True, eq=False)
class LagContributions(ByLag):
    """The terms of dL/dW_hh = sum_t G_t by lag.

    `cumulative` is of their norms: contributions that cancel each other count too, unlike in `share`.

    Attributes:
        log_norm: ln ||G_{T-k}||_F, (T,), nats. -inf is an exact zero, as at lag T - 1 if h_0 = 0; nan if a
            sample is not finite.
        share: <G_{T-k}, G> / ||G||_F^2 with G = dL/dW_hh, (T,); sums to 1, negative if a lag opposes the
            total. nan at every lag if G is 0 or not finite.
        log_total: ln ||dL/dW_hh||_F, nats.
    """

    share: np.ndarray
    log_total: float

    @property
    def median_lag(self) -> float:
        """The smallest lag within which half of the contributions' norms lie, in steps."""
        return self.lag_within(0.5)

    @property
    def lag_90(self) -> float:
        """The smallest lag within which 90 % of the contributions' norms lie, in steps."""
        return self.lag_within(0.9)


class LagsProbe(Probe[LagContributions]):
    """What each lag contributes to the gradient of the recurrent kernel, of all its blocks."""

    name = "lags"
    page = "lags"
    has_figure = True
    metric_table: ClassVar = {
        "grad/median_lag": Metric(
            "lag within which half of the parts of dL/dW_hh lie, by their norms",
            "steps",
            _WHEN,
        ),
    }
    array_table: ClassVar = {
        "lag_log_norm": Array(
            "ln of the norm of each lag's part of dL/dW_hh, lag 0 first", "(T,)", "nats", _WHEN, "log_norm"
        ),
        "lag_share": Array("its share of dL/dW_hh, with a sign", "(T,)", "", _WHEN, "share"),
        "lag_cumulative": Array("the part of the norms within each lag", "(T,)", "", _WHEN, "cumulative"),
        "median_lag": Array("grad/median_lag", "()", "steps", _WHEN),
    }

    def measure(self, trajectory: Trajectory) -> LagContributions | None:
        """Return the contributions, None of a cell without a recurrent kernel or below another layer."""
        if not trajectory.read_at_end:
            return None
        if trajectory.factored is None:
            return trajectory.differentiated.lags(trajectory.x, trajectory.before, trajectory.last_adjoint)
        slopes, kernel, _ = trajectory.factored
        return measure_lags(trajectory.hidden, slopes, kernel, trajectory.last_adjoint)


def measure_lags(
    states: np.ndarray,
    slopes: np.ndarray,
    recurrent_kernel: np.ndarray,
    last_adjoint: np.ndarray,
    initial_state: np.ndarray | None = None,
) -> LagContributions:
    """Measure what each lag contributes to dL/dW_hh, for a loss L = mean_b l_b at the last step.

        dL/dW_hh = sum_t G_t,   G_t = (1/B) sum_b h_{t-1,b} delta_{t,b}^T
        delta_{t,b} = phi'(a_{t,b}) * dl_b/dh_{t,b},   dl_b/dh_{t-1,b} = W_hh delta_{t,b}

    G_t is the gradient with respect to the weights as used at step t alone. Adjoints are represented by unit
    vectors and the logarithms of their norms, so that nothing over- or underflows at any T.

    Accuracy: 1e-13 T in `log_norm`, relative to the term of the largest sample if samples cancel. `share`
    sums to 1 within 1e-15 sum |share|.

    Args:
        states: h_t, (T, B, H).
        slopes: phi'(a_t), (T, B, H).
        recurrent_kernel: W_hh, (H, H), from unit i (row) to unit j (column).
        last_adjoint: dl_b/dh_T, (B, H).
        initial_state: h_0, (B, H); 0 where None.

    Raises:
        ArgumentError: An array has not its shape, or is empty.

    >>> decay = measure_lags(np.ones((6, 1, 1)), np.ones((6, 1, 1)), [[0.5]], [[1.0]], [[1.0]])
    >>> decay.log_norm.round(3)[:3], decay.median_lag, decay.lag_90
    (array([ 0.   , -0.693, -1.386]), 0.0, 3.0)
    """
    states = filled("states", states, "T, B, H")
    _, samples, units = states.shape
    slopes = shaped("slopes", slopes, states.shape)
    kernel = shaped("recurrent_kernel", recurrent_kernel, (units, units))
    last = shaped("last_adjoint", last_adjoint, (samples, units))
    initial = np.zeros_like(last) if initial_state is None else initial_state
    initial = shaped("initial_state", initial, (samples, units))
    # A state or slope that is not finite makes the results nan, as intended.
    with one_blas_thread(), np.errstate(invalid="ignore", over="ignore"):
        before = unit_vectors(np.concatenate([initial[np.newaxis], states[:-1]]))
        return _contributions(before, _adjoints(slopes, kernel, last))


def _adjoints(slopes: np.ndarray, kernel: np.ndarray, last: np.ndarray) -> Vectors:
    """Return delta_{t,b}, (T, B, H)."""
    deltas = Vectors(np.empty_like(slopes), np.empty(slopes.shape[:2]))
    from_future, log_scale = unit_vectors(last)
    for step in range(len(slopes) - 1, -1, -1):
        direction, growth = unit_vectors(slopes[step] * from_future)
        log_scale = log_scale + growth
        deltas.directions[step], deltas.log_norms[step] = direction, log_scale
        from_future = direction @ kernel.T
    return deltas


def _contributions(before: Vectors, deltas: Vectors) -> LagContributions:
    """Measure G_t = (1/B) sum_b before_{t,b} deltas_{t,b}^T of every step."""
    time_steps, samples, units = before.directions.shape
    log_sizes = before.log_norms + deltas.log_norms - np.log(samples)
    # G_t = e^shift_t sum_b u_b v_b^T, with u_b a unit vector and the longest v_b of length 1.
    shift = log_sizes.max(axis=1)
    shift = np.where(np.isneginf(shift), 0.0, shift)
    weighted = deltas.directions * np.exp(log_sizes - shift[:, np.newaxis])[:, :, np.newaxis]
    log_norm = shift + _log_norms_of_products(before.directions, weighted)
    highest = shift.max()
    scales = np.exp(shift - highest)
    flat = before.directions.reshape(-1, units)
    total = flat.T @ (weighted * scales[:, np.newaxis, np.newaxis]).reshape(-1, units)
    size = float(np.linalg.norm(total))
    products = np.einsum("tbh,tbh->t", (flat @ total).reshape(weighted.shape), weighted)
    with np.errstate(divide="ignore"):
        share = scales * products / size**2 if size > 0 else np.full(time_steps, np.nan)
        return LagContributions(log_norm[::-1], share[::-1], float(highest + np.log(size)))


def _log_norms_of_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """ln ||sum_b left_b right_b^T||_F of every step, (T,)."""
    time_steps, _, units = left.shape
    chunks = np.array_split(np.arange(time_steps), -(-time_steps * units**2 // _CHUNK))
    norms = [np.linalg.norm(left[chunk].swapaxes(1, 2) @ right[chunk], axis=(1, 2)) for chunk in chunks]
    with np.errstate(divide="ignore"):
        return np.log(np.concatenate(norms))
