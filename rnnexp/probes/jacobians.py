"""The Jacobians of the steps of a recurrence, as maps of vectors."""

import abc
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnnexp.probes.log_rms import log_rms, unit_vectors
from rnnexp.runtime.arrays import filled
from rnnexp.runtime.checks import ArgumentError, integer
from rnnexp.runtime.random import generator
from rnnexp.theory import Elementwise

_LARGEST = 1e100
"""Larger entries count as not finite, so that products of entries do not overflow."""


class Factor(NamedTuple):
    """One factor of the Jacobian of every step.

    Attributes:
        apply: The map (i, V) -> F_i V, of the i-th step of a chain; V (B, H, K) has the vectors in columns.
        diagonal: Whether F_i is diagonal, so that no entry of F_i V suffers from cancellation.
    """

    apply: Callable[[int, np.ndarray], np.ndarray]
    diagonal: bool


@dataclasses.dataclass(frozen=True)
class Chain:
    """A product of Jacobians, (F_n ... F_1)_last ... (F_n ... F_1)_first, that is applied to vectors.

    Attributes:
        time_steps: Number of Jacobians.
        factors: F_1 ... F_n, in the order in which they are applied to a vector.
    """

    time_steps: int
    factors: tuple[Factor, ...]

    def apply(self, start: int, stop: int, vectors: np.ndarray) -> np.ndarray:
        """Return J_{stop-1} ... J_start V of the chain's steps, for V (B, H, K)."""
        for step in range(start, stop):
            for factor in self.factors:
                vectors = factor.apply(step, vectors)
        return vectors


class Jacobians(abc.ABC):
    """The Jacobians J_t = dh_t/dh_{t-1} of T steps, of B samples, of H states; the first is dh_1/dh_0.

    Attributes:
        shape: (T, B, H).
        finite: Samples whose Jacobians are all finite and below 1e100, (B,); those of others count as 0.
    """

    shape: tuple[int, int, int]
    finite: np.ndarray

    @abc.abstractmethod
    def step(self, index: int) -> np.ndarray:
        """J_t of step t = index + 1, (B, H, H)."""

    def forward(self) -> Chain:
        """J_T ... J_1, which carries a change of the state from h_0 to h_T."""
        return Chain(self.shape[0], (Factor(lambda i, vectors: self.step(i) @ vectors, diagonal=False),))

    def backward(self) -> Chain:
        """J_1^T ... J_T^T, which carries a gradient from h_T to h_0."""
        last = self.shape[0] - 1

        def pull(i: int, vectors: np.ndarray) -> np.ndarray:
            return self.step(last - i).swapaxes(1, 2) @ vectors

        return Chain(self.shape[0], (Factor(pull, diagonal=False),))

    def log_gain(self) -> np.ndarray:
        """ln(||J_t||_F / sqrt(H)), (T, B), nats: the root mean square growth of a random direction."""
        rows = [unit_vectors(self.step(index)).log_norms for index in range(self.shape[0])]
        return np.where(self.finite, log_rms(np.array(rows)), np.nan)


class ElmanJacobians(Jacobians):
    """The Jacobians of h_t = phi(W_xh^T x_t + W_hh^T h_{t-1} + b), of which none is stored.

        J_t = diag(phi'(a_t)) W_hh^T

    Args:
        slopes: phi'(a_t), (T, B, H). A sample with a slope that is not finite is marked in `finite`.
        recurrent_kernel: W_hh, (H, H).

    Raises:
        ArgumentError: The shapes are others, or an array is empty.
    """

    def __init__(self, slopes: np.ndarray, recurrent_kernel: np.ndarray):
        slopes = filled("slopes", slopes, "T, B, H")
        kernel = np.asarray(recurrent_kernel, dtype=np.float64)
        units = slopes.shape[2]
        if kernel.shape != (units, units):
            raise ArgumentError("recurrent_kernel", f"an array ({units}, {units})", kernel.shape)
        self.shape = slopes.shape
        self.finite = _bounded(slopes, axis=(0, 2)) & _bounded(kernel)
        self._slopes = slopes if self.finite.all() else np.where(self.finite[:, np.newaxis], slopes, 0.0)
        self._kernel = kernel if _bounded(kernel) else np.zeros_like(kernel)

    def forward(self) -> Chain:
        """J_T ... J_1."""
        return Chain(len(self._slopes), (_dense(self._kernel.T), _diagonal(self._slopes)))

    def backward(self) -> Chain:
        """J_1^T ... J_T^T."""
        return Chain(len(self._slopes), (_diagonal(self._slopes[::-1]), _dense(self._kernel)))

    def step(self, index: int) -> np.ndarray:
        """J_t of step t = index + 1, (B, H, H)."""
        return self._slopes[index][:, :, np.newaxis] * self._kernel.T

    def log_gain(self) -> np.ndarray:
        """ln(||J_t||_F / sqrt(H)), (T, B), where ||J_t||_F^2 = sum_i phi'(a_i)^2 sum_j W_ji^2."""
        columns = unit_vectors(self._kernel, axis=0).log_norms
        with np.errstate(divide="ignore"):
            rows = np.log(np.abs(self._slopes)) + columns
        return np.where(self.finite, log_rms(rows), np.nan)


class GivenJacobians(Jacobians):
    """Jacobians of any cell, as arrays.

    Args:
        jacobians: J_t = dh_t/dh_{t-1}, (T, B, H, H), with h_t in the rows: J[t, b, i, j] = dh_i/dh_j. A
            sample with an entry that is not finite is marked in `finite`.

    Raises:
        ArgumentError: `jacobians` is not (T, B, H, H) or is empty.
    """

    def __init__(self, jacobians: np.ndarray):
        jacobians = filled("jacobians", jacobians, "T, B, H, H")
        self.shape = jacobians.shape[:3]
        self.finite = _bounded(jacobians, axis=(0, 2, 3))
        kept = self.finite[:, np.newaxis, np.newaxis]
        self._jacobians = jacobians if self.finite.all() else np.where(kept, jacobians, 0.0)

    def step(self, index: int) -> np.ndarray:
        """J_t of step t = index + 1, (B, H, H)."""
        return self._jacobians[index]


def autonomous_jacobians(
    recurrent_kernel: np.ndarray,
    phi: Elementwise,
    slope: Elementwise,
    time_steps: int,
    samples: int = 1,
    discard: int = 100,
    seed: int = 0,
) -> ElmanJacobians:
    """Iterate a network without input from random states, and return the Jacobians on its way.

        h_t = phi(W_hh^T h_{t-1}),   h_0 ~ N(0, 1) in every unit,   J_t = diag(phi'(a_t)) W_hh^T

    Args:
        recurrent_kernel: W_hh, (H, H).
        phi: The activation.
        slope: Its derivative.
        time_steps: T.
        samples: B trajectories of the same kernel.
        discard: Steps to leave out at the start, in which the trajectories reach their attractor.
        seed: Seed of h_0.

    Raises:
        ArgumentError: `time_steps` or `samples` is below 1, `discard` or `seed` below 0, or the kernel is not
            square.
    """
    kernel = filled("recurrent_kernel", recurrent_kernel, "H, H")
    time_steps, samples = integer("time_steps", time_steps, 1), integer("samples", samples, 1)
    discard = integer("discard", discard, 0)
    state = generator(integer("seed", seed, 0), "probe").normal(size=(samples, len(kernel)))
    slopes = np.empty((time_steps, *state.shape))
    for step in range(-discard, time_steps):
        pre_activation = state @ kernel
        state = phi(pre_activation)
        if step >= 0:
            slopes[step] = slope(pre_activation)
    return ElmanJacobians(slopes, kernel)


def step_sigma_max(jacobians: Jacobians, indices: np.ndarray | None = None) -> np.ndarray:
    """Return the largest singular value of J_t, max_v ||J_t v|| / ||v||, (N, B); nan where not finite.

    One singular value decomposition a step and sample, about 0.1 ms at H = 64: choose `indices` where T is
    large.

    Args:
        jacobians: Of the T steps.
        indices: Steps t - 1, (N,); all T where None.
    """
    chosen = np.arange(jacobians.shape[0]) if indices is None else np.asarray(indices)
    sigma = [np.linalg.svd(jacobians.step(int(index)), compute_uv=False)[:, 0] for index in chosen]
    return np.where(jacobians.finite, np.reshape(sigma, (len(chosen), jacobians.shape[1])), np.nan)


def _bounded(values: np.ndarray, axis: tuple[int, ...] | None = None) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.all(np.abs(values) <= _LARGEST, axis=axis))


def _dense(matrix: np.ndarray) -> Factor:
    contiguous = np.ascontiguousarray(matrix)
    return Factor(lambda i, vectors: contiguous @ vectors, diagonal=False)


def _diagonal(entries: np.ndarray) -> Factor:
    return Factor(lambda i, vectors: entries[i][:, :, np.newaxis] * vectors, diagonal=True)
