"""The Jacobians of any Keras cell along its trajectories, by automatic differentiation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from rnnexp.probes.jacobians import Chain, Factor, Jacobians
from rnnexp.runtime.arrays import filled
from rnnexp.runtime.checks import ArgumentError

_ROWS = 8192  # rows in one call: a few hundred megabytes at H = 64
_LARGEST = 1e100  # larger entries count as not finite, as in `rnnexp.probes.jacobians`


def state_sizes(cell: Any) -> list[int]:
    """Return the widths of the states of a cell, in its order.

    Raises:
        ArgumentError: A state is no matrix (B, n).
    """
    sizes = tf.nest.flatten(cell.state_size)
    if not all(isinstance(size, int) for size in sizes):
        raise ArgumentError("cell", "states that are matrices (B, n)", cell.state_size)
    return sizes


def step_of(cell: Any) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return one step of a cell, S' from x (R, F) and S (R, N), with all states of a row side by side.

    Raises:
        ArgumentError: A state is no matrix (B, n).
    """
    sizes = state_sizes(cell)

    def step(x: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        return tf.concat(tf.nest.flatten(cell(x, tf.split(states, sizes, axis=1))[1]), axis=1)

    return step


class CellDerivatives:
    """One step of a cell, S' = cell(x, S), and its first derivatives, traced once.

        push: dS'/dS v        pull: (dS'/dS)^T g        pull_inputs: (dS'/dS)^T g and (dS'/dx)^T g

    S (R, N) are all states of R rows side by side: h, or (h, c) of an LSTM. The rows are independent.

    Args:
        cell: A Keras cell, built, whose states are matrices (R, n), of any widths. Its weights may change
            between calls.
        inputs: F.

    Raises:
        ArgumentError: A state of the cell is no matrix.
    """

    def __init__(self, cell: Any, inputs: int):
        self.states = sum(state_sizes(cell))
        self._cell = cell
        self._step = step_of(cell)
        dtype = cell.compute_dtype
        rows = [tf.TensorSpec((None, size), dtype) for size in (inputs, self.states, self.states)]
        self.push = tf.function(self._push, rows, autograph=False)
        self.pull = tf.function(self._pull, rows, autograph=False)
        self.pull_inputs = tf.function(self._pull_inputs, rows, autograph=False)
        sequences = [tf.TensorSpec((None, None, inputs), dtype)]
        self.trajectory = tf.function(self._trajectory, sequences, autograph=False)

    def _push(self, x: tf.Tensor, states: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        with tf.autodiff.ForwardAccumulator(states, vectors) as forward:
            after = self._step(x, states)
        return forward.jvp(after, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def _pull_inputs(
        self, x: tf.Tensor, states: tf.Tensor, gradients: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, states])
            after = self._step(x, states)
        return tape.gradient(after, (states, x), gradients, unconnected_gradients="zero")

    def _pull(self, x: tf.Tensor, states: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(states)
            after = self._step(x, states)
        return tape.gradient(after, states, gradients, unconnected_gradients="zero")

    def _trajectory(self, x: tf.Tensor) -> tf.Tensor:
        """Return S_0 ... S_T, (T+1, B, N), from x (T, B, F) and the cell's own S_0."""
        initial = self._cell.get_initial_state(batch_size=tf.shape(x)[1])
        start = tf.concat(tf.nest.flatten(initial), axis=1)
        after = tf.scan(lambda states, each: self._step(each, states), x, start)
        return tf.concat([start[tf.newaxis], after], axis=0)


class CellJacobians(Jacobians):
    """The Jacobians J_t = dS_t/dS_{t-1} of any cell, as `rnnexp.probes.Jacobians`; few of them are in memory.

    S are all states of the cell side by side, so of an LSTM with H units J_t is (2H, 2H), h before c.

    Args:
        derivatives: Of the cell.
        x: The inputs, (T, B, F).
        before: S_{t-1} of every step t, (T, B, N). A sample whose Jacobians are not all finite is marked in
            `finite`.

    Raises:
        ArgumentError: The shapes do not fit, or an array is empty.
    """

    def __init__(self, derivatives: CellDerivatives, x: np.ndarray, before: np.ndarray):
        x, before = filled("x", x, "T, B, F", None), np.asarray(before)
        expected = (*x.shape[:2], derivatives.states)
        if before.shape != expected:
            raise ArgumentError("before", f"an array {expected}", before.shape)
        self.shape = expected
        self._derivatives = derivatives
        self._x, self._before = x, before
        self.finite = self._bounded()
        if not self.finite.all():
            kept = self.finite[:, np.newaxis]
            self._x, self._before = np.where(kept, x, 0.0), np.where(kept, before, 0.0)
        self._block = max(1, _ROWS // (expected[1] * expected[2]))
        self._log_gain = np.full(expected[:2], np.nan)
        self._stored: tuple[int, np.ndarray] | None = None

    def forward(self) -> Chain:
        """J_T ... J_1."""
        return Chain(self.shape[0], (Factor(self._push, diagonal=False),))

    def step(self, index: int) -> np.ndarray:
        """J_t of step t = index + 1, (B, N, N)."""
        block, place = divmod(index, self._block)
        if self._stored is None or self._stored[0] != block:
            self._stored = block, self._differentiate(slice(block * self._block, (block + 1) * self._block))
        return self._stored[1][place]

    def log_gain(self) -> np.ndarray:
        """Return ln(||J_t||_F / sqrt(N)), (T, B); steps that other methods computed already are reused."""
        for index in range(0, self.shape[0], self._block):
            if np.isnan(self._log_gain[index]).any():
                self.step(index)
        return np.where(self.finite, self._log_gain, np.nan)

    def _differentiate(self, steps: slice) -> np.ndarray:
        """Return J_t of some steps, (steps, B, N, N), by one pull for every row of every Jacobian."""
        before, (_, samples, states) = self._before[steps], self.shape
        rows = np.broadcast_to(np.eye(states), (*before.shape[:2], states, states)).reshape(-1, states)
        arguments = (
            np.repeat(a[steps].reshape(-1, a.shape[2]), states, axis=0) for a in (self._x, self._before)
        )
        jacobians = self._derivatives.pull(*arguments, rows).numpy().reshape(-1, samples, states, states)
        jacobians *= self.finite[:, np.newaxis, np.newaxis]
        with np.errstate(divide="ignore"):
            # No square overflows: entries larger than 1e100 count as not finite.
            self._log_gain[steps] = 0.5 * np.log(np.mean(np.sum(jacobians**2, axis=3), axis=2))
        return jacobians

    def _push(self, i: int, vectors: np.ndarray) -> np.ndarray:
        """J V of the i-th step, (B, N, K)."""
        columns = vectors.shape[2]
        arguments = (np.repeat(a[i], columns, axis=0) for a in (self._x, self._before))
        flat = vectors.swapaxes(1, 2).reshape(-1, self.shape[2])
        image = self._derivatives.push(*arguments, flat).numpy().reshape(-1, columns, self.shape[2])
        return image.swapaxes(1, 2) * self.finite[:, np.newaxis, np.newaxis]

    def _bounded(self) -> np.ndarray:
        """Whether J_t maps a random vector to finite numbers at every step, (B,): then J_t is finite."""
        steps, samples, states = self.shape
        vector = np.random.default_rng(0).standard_normal(states)
        bounded = np.ones(samples, bool)
        at_once = max(1, _ROWS // samples)
        for start in range(0, steps, at_once):
            chosen = slice(start, start + at_once)
            x, before = (a[chosen].reshape(-1, a.shape[2]) for a in (self._x, self._before))
            image = self._derivatives.push(x, before, np.broadcast_to(vector, before.shape)).numpy()
            with np.errstate(invalid="ignore"):
                within = np.all(np.abs(image.astype(np.float64)) <= _LARGEST, axis=1)
            bounded &= within.reshape(-1, samples).all(axis=0)
        return bounded
