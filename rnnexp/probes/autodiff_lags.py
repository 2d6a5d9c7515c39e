"""What each lag contributes to the gradient of the recurrent kernel of any Keras cell.

`rnnexp.probes.measure_lags` has the closed form for h_t = phi(a_t); here the cell is differentiated.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from rnnexp.probes.autodiff_jacobians import state_sizes, step_of
from rnnexp.probes.lags import LagContributions
from rnnexp.runtime.arrays import filled, shaped
from rnnexp.runtime.checks import ArgumentError

_ROWS = 4096
"""Steps times samples in one call of the cell, where the steps do not depend on each other."""


class CellLags:
    """Measures what each lag contributes to dL/dU, U the recurrent kernel of a cell, L = mean_b l_b.

        S_t = cell(x_t, S_{t-1}; U),   g_t = dl_b/dS_{t,b},   g_{t-1} = (dS_t/dS_{t-1})^T g_t
        dL/dU = sum_t G_t,   G_t = (1/B) sum_b (dS_{t,b}/dU)^T g_{t,b}

    S (B, N) are all states of the cell side by side: h, or (h, c) of an LSTM. The loss depends on S_T alone.

    One backward loop of vector-Jacobian products represents g_t by unit vectors and the logarithms of their
    norms, so that nothing over- or underflows. It adds up dL/dU with one G_t in memory at a time. Then
    <G_t, dL/dU> is the inner product of g_t and the cell's derivative along dL/dU, for all steps at once.

    Args:
        cell: A built Keras cell with a `recurrent_kernel` and states that are matrices (B, H), whose steps do
            not mix samples. It is called as in inference, without dropout. The computation has its dtype,
            which should be float64. Its weights may change between calls.

    Raises:
        ArgumentError: The cell has no recurrent kernel: it is not built, or holds other cells.
    """

    def __init__(self, cell: Any):
        kernel = getattr(cell, "recurrent_kernel", None)
        if kernel is None:
            raise ArgumentError("cell", "a built cell with a recurrent_kernel", type(cell).__name__)
        self._sizes, self._dtype = state_sizes(cell), cell.compute_dtype
        self._step = step_of(cell)
        self._kernel = kernel.value
        sequence = tf.TensorSpec((None, None, None), self._dtype)
        rows = tf.TensorSpec((None, None), self._dtype)
        self._backward = tf.function(self._pass_backward, [sequence, sequence, rows], autograph=False)
        self._along = tf.function(self._derivative_along, [rows] * 3, autograph=False)

    def measure(self, x: np.ndarray, before: np.ndarray, last_adjoint: np.ndarray) -> LagContributions:
        """Measure the contributions with the present weights of the cell.

        Args:
            x: The inputs, (T, B, F).
            before: S_{t-1} of every step t, (T, B, N).
            last_adjoint: dl_b/dS_T, (B, N); 0 for a state that the loss does not see, such as c of an LSTM.

        Raises:
            ArgumentError: An array has not its shape, or is empty.
        """
        x = filled("x", x, "T, B, F", self._dtype)
        before = shaped("before", before, (*x.shape[:2], sum(self._sizes)), self._dtype)
        last = shaped("last_adjoint", last_adjoint, before.shape[1:], self._dtype)
        *weighted, log_norms, total, log_scale = (
            result.numpy() for result in self._backward(x, before, last)
        )
        with np.errstate(divide="ignore"):
            log_size = float(np.log(np.linalg.norm(total)))
        share = np.full(len(x), np.nan)
        if np.isfinite(log_size):
            cotangents, scales = weighted
            along = self._inner_products(x, before, cotangents, total / np.exp(log_size))
            share = along * np.exp(scales - log_scale - log_size)
        return LagContributions(log_norms[::-1], share[::-1], log_size + float(log_scale))

    def _pass_backward(self, x: tf.Tensor, before: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return exp(-m_t) g_t / B (T, B, N), m_t (T,), ln ||G_t|| (T,), exp(-M) dL/dU and M.

        The scales are m_t = ln max_b ||g_{t,b}|| and M = max_t m_t.
        """
        time_steps = tf.shape(x)[0]
        samples = tf.cast(tf.shape(x)[1], x.dtype)
        shapes = (before.shape[1:], (), ())
        records = [tf.TensorArray(x.dtype, time_steps, element_shape=shape) for shape in shapes]

        def body(t, unit, log_norm, total, highest, records):
            scale = _finite_or_zero(tf.reduce_max(log_norm))
            cotangent = unit * tf.exp(log_norm - scale)[:, tf.newaxis] / samples
            to_kernel, to_states = self._pull(x[t], before[t], cotangent, unit)
            raised = tf.maximum(highest, scale)
            total = total * tf.exp(highest - raised) + to_kernel * tf.exp(scale - raised)
            found = (cotangent, scale, scale + tf.math.log(tf.norm(to_kernel)))
            records = [record.write(t, value) for record, value in zip(records, found, strict=True)]
            unit, growth = _unit_vectors(to_states)
            return t - 1, unit, log_norm + growth, total, raised, records

        unit, log_norm = _unit_vectors(last)
        start = _finite_or_zero(tf.reduce_max(log_norm))
        state = (time_steps - 1, unit, log_norm, tf.zeros_like(self._kernel), start, records)
        *_, total, highest, records = tf.while_loop(lambda t, *_: t >= 0, body, state)
        return *(record.stack() for record in records), total, highest

    def _pull(
        self, x: tf.Tensor, states: tf.Tensor, for_kernel: tf.Tensor, for_states: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (dS'/dU)^T for_kernel, summed over samples, and (dS'/dS)^T for_states."""
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch([states, self._kernel])
            after = self._step(x, states)
        to_kernel = tape.gradient(after, self._kernel, for_kernel)
        return to_kernel, tape.gradient(after, states, for_states, unconnected_gradients="zero")

    def _inner_products(
        self, x: np.ndarray, before: np.ndarray, cotangents: np.ndarray, direction: np.ndarray
    ) -> np.ndarray:
        """<sum_b (dS_{t,b}/dU)^T cotangents_{t,b}, direction> of every step, (T,)."""
        found = np.empty(len(x))
        at_once = max(1, _ROWS // x.shape[1])
        for start in range(0, len(x), at_once):
            steps = slice(start, start + at_once)
            rows = (array[steps].reshape(-1, array.shape[2]) for array in (x, before))
            along = self._along(*rows, direction).numpy().reshape(cotangents[steps].shape)
            found[steps] = np.einsum("tbn,tbn->t", along, cotangents[steps])
        return found

    def _derivative_along(self, x: tf.Tensor, states: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """Return dS'/dU direction, (R, N)."""
        with tf.autodiff.ForwardAccumulator(self._kernel, direction) as forward:
            after = self._step(x, states)
        return forward.jvp(after)


def _finite_or_zero(scale: tf.Tensor) -> tf.Tensor:
    """Return 0 for -inf, the maximum over zeros; nan stays nan."""
    return tf.where(tf.math.is_inf(scale), tf.zeros_like(scale), scale)


def _unit_vectors(vectors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the rows scaled to norm 1, (B, N), and ln of their norms, (B,); 0 and -inf for a zero row."""
    largest = tf.reduce_max(tf.abs(vectors), axis=1, keepdims=True)
    scaled = vectors / tf.where(largest > 0, largest, tf.ones_like(largest))
    norm = tf.norm(scaled, axis=1, keepdims=True)
    log_norm = tf.math.log(largest) + tf.math.log(norm)
    return scaled / tf.where(norm > 0, norm, tf.ones_like(norm)), tf.squeeze(log_norm, axis=1)
