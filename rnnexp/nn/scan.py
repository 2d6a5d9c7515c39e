"""The recurrence over time and its hand-written adjoint.

    a_t = p_t + W_hh^T h_{t-1},   h_t = phi(a_t)                     forward,  t = 1 .. T
    g_t = dL/dh_t = (direct term of step t) + W_hh delta_{t+1}       backward, t = T .. 1
    delta_t = dL/da_t = phi'(a_t) * g_t
    dL/dW_hh = sum_t h_{t-1} delta_t^T                               one product, after the loop

with p_t = W_xh^T x_t + b the input projection of all steps, one product before the loop. Since da_t/dp_t = 1,
dL/dp_t equals delta_t, and autodiff takes it on to kernel, bias and inputs. The adjoint is written by hand so
that the norms of g_t can leave the loop, as the "gradient" of an otherwise unused input, the tap.

All arrays are time-major, (T, B, H), so that one step is one contiguous slice.

Truncated, the way from a_t to h_{t-1} is cut where a chunk of K steps begins, counted from the end:

    dL/dh_{t-1} = (direct term of step t-1)                          where T - t + 1 is a multiple of K

so that the states run on and no gradient leaves its chunk; only the first chunk may have fewer than K steps.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn.adjoint_records import LogNorm, Vectors, recorder_of
from rnnexp.nn.padding import is_step


class Scanned(NamedTuple):
    """The result of a scan: `states` (T, B, H), or None if only the last was asked for, and `last` (B, H)."""

    states: tf.Tensor | None
    last: tf.Tensor


def scan(
    projected: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    initial_state: tf.Tensor,
    activation: Callable[[tf.Tensor], tf.Tensor],
    *,
    return_states: bool = True,
    taps: Sequence[tf.Tensor] = (),
    first: tf.Tensor | None = None,
    truncate: int | None = None,
) -> Scanned:
    """Run h_t = phi(p_t + W_hh^T h_{t-1}) over time, differentiable once.

    Args:
        projected: p, the input projection with bias, (T, B, H).
        recurrent_kernel: W_hh, (H, H), from unit i (row) to unit j (column) as in Keras.
        initial_state: h_0, (B, H).
        activation: phi, elementwise.
        return_states: Whether to return all states. If not, the backward loop adds no direct terms.
        taps: Inputs without effect on the result, whose "gradients" are records of the backward pass: for
            float64 zeros (T,) ln ||dL/dh_t|| over batch and units, for (T, B) that of every sample, with -inf
            for an exact zero; for zeros (T, 2, B, H) dL/dh_t and delta_t.
        first: The step, from 0, that is taken first (`rnnexp.nn.padding`); the state before it is h_0. None:
            that of t = 1.
        truncate: K, at least 1; None: the gradient goes back to the first step.

    Returns:
        A `Scanned`. Gradients exist for `projected`, `recurrent_kernel`, `initial_state` and `taps`.

    Source: back-propagation through time, Werbos 1990 (https://doi.org/10.1109/5.58337); truncated, Williams
    and Peng 1990 (https://doi.org/10.1162/neco.1990.2.4.490).
    """

    @tf.custom_gradient
    def run(projected, recurrent_kernel, initial_state, *taps):
        inputs = (projected, recurrent_kernel, initial_state)
        recurrence = Recurrence(*inputs, activation, first, truncate)
        states = recurrence.states()

        def adjoint(*upstream):
            direct = upstream[0] if return_states else None
            back = recurrence.adjoint(states, direct, upstream[-1], taps)
            return back.deltas, back.to_kernel, back.to_initial, *back.records

        return ((states, states[-1]) if return_states else states[-1]), adjoint

    result = run(projected, recurrent_kernel, initial_state, *taps)
    return Scanned(*result) if return_states else Scanned(None, result)


class Adjoint(NamedTuple):
    """The gradients of a run of consecutive steps.

    Attributes:
        deltas: dL/da_t, (T, B, H).
        to_kernel: dL/dW_hh, (H, H).
        to_initial: dL/dh_0, (B, H).
        records: What each tap receives, in the order of the taps.
    """

    deltas: tf.Tensor
    to_kernel: tf.Tensor
    to_initial: tf.Tensor
    records: list[tf.Tensor]


def to_kernel(states: tf.Tensor, initial_state: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """Return dL/dW_hh = sum_t h_{t-1} delta_t^T, (H, H), from h_1 .. h_T and the deltas, (T, B, H) each."""
    first = tf.matmul(initial_state, deltas[0], transpose_a=True)
    return first + tf.tensordot(states[:-1], deltas[1:], axes=[[0, 1], [0, 1]])


class Recurrence(NamedTuple):
    """T consecutive steps from a known state h_0: a whole sequence, or a segment of it.

    Attributes:
        projected: p, (T, B, H).
        recurrent_kernel: W_hh, (H, H).
        initial_state: h_0, (B, H).
        activation: phi, elementwise.
        first: The step that is taken first, as for `scan`.
        truncate: K, as for `scan`.
    """

    projected: tf.Tensor
    recurrent_kernel: tf.Tensor
    initial_state: tf.Tensor
    activation: Callable[[tf.Tensor], tf.Tensor]
    first: tf.Tensor | None = None
    truncate: int | None = None

    def states(self) -> tf.Tensor:
        """Return h_1 .. h_T, (T, B, H)."""
        time_steps = steps_of(self.projected)
        states = tf.TensorArray(self.projected.dtype, size=time_steps, element_shape=self.projected.shape[1:])

        def step(t, state, states):
            p = tf.gather(self.projected, t)
            state = self.activation(p + tf.matmul(state, self.recurrent_kernel))
            return t + 1, state, states.write(t, state)

        *_, states = tf.while_loop(
            lambda t, *_: t < time_steps,
            step,
            (self._begin, self.initial_state, states),
            maximum_iterations=time_steps,
        )
        return tf.ensure_shape(self._from_begin(states.stack(), self.initial_state), self.projected.shape)

    @property
    def _begin(self) -> int | tf.Tensor:
        return 0 if self.first is None else self.first

    def _from_begin(self, by_step: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Return (T, ...) with `before` in place of what no step has written."""
        if self.first is None:
            return by_step
        taken = is_step(steps_of(self.projected), self.first)
        return tf.where(tf.reshape(taken, (-1, *[1] * (by_step.shape.rank - 1))), by_step, before)

    def adjoint(
        self,
        states: tf.Tensor,
        direct: tf.Tensor | None,
        from_future: tf.Tensor,
        taps: Sequence[tf.Tensor],
    ) -> Adjoint:
        """Run the backward pass, from the last step to the first.

        Args:
            states: h_1 .. h_T, (T, B, H).
            direct: dL/dh_t by the output of each step alone, (T, B, H); None: 0.
            from_future: dL/dh_T by the steps after T, (B, H).
            taps: As for `scan`.
        """
        recorders = [recorder_of(tap, states) for tap in taps]
        ends = (self._begin, self.truncate)
        backward = _Backward(direct, self._slopes(states), self.recurrent_kernel, recorders, *ends)
        deltas, to_initial, records = backward.run(from_future, steps_of(self.projected))
        deltas = self._from_begin(deltas, tf.zeros([], deltas.dtype))
        records = [
            self._from_begin(record, tf.constant(recorder.missing, record.dtype))
            for recorder, record in zip(recorders, records, strict=True)
        ]
        return Adjoint(deltas, to_kernel(states, self.initial_state, deltas), to_initial, records)

    def _slopes(self, states) -> activations.Slope:
        """Return t -> phi'(a_t): from h_t if phi allows it, else from a_t, which one product recomputes."""
        from_state = activations.slope_from_state(self.activation)
        if from_state is not None:
            return lambda t: from_state(tf.gather(states, t))
        previous = tf.concat([self.initial_state[tf.newaxis], states[:-1]], axis=0)
        pre_activations = self.projected + tf.matmul(previous, self.recurrent_kernel)
        slopes = activations.slope(self.activation, pre_activations)
        return lambda t: tf.gather(slopes, t)


def steps_of(sequence: tf.Tensor) -> int | tf.Tensor:
    """Return T, as a number if the graph knows it: XLA needs that for its loops."""
    return tf.shape(sequence)[0] if sequence.shape[0] is None else sequence.shape[0]


class _Backward:
    """The loop from t = T to step `begin`: computes g_t and delta_t, and passes them to the `recorders`."""

    def __init__(self, direct, slopes, recurrent_kernel, recorders: list[LogNorm | Vectors], begin, truncate):
        self.begin = begin
        self.truncate = truncate
        self.direct = direct
        self.slopes = slopes
        self.transposed = tf.transpose(recurrent_kernel)
        self.recorders = recorders

    def run(self, from_future: tf.Tensor, time_steps) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Return deltas (T, B, H), dL/dh_0 (B, H) and one record for each of `recorders`."""
        deltas = tf.TensorArray(from_future.dtype, size=time_steps, element_shape=from_future.shape)
        recorded = [recorder.array(time_steps) for recorder in self.recorders]
        _, to_initial, deltas, recorded = tf.while_loop(
            lambda t, *_: t >= self.begin,
            functools.partial(self._step, time_steps),
            (time_steps - 1, from_future, deltas, recorded),
            maximum_iterations=time_steps,
        )
        each = zip(self.recorders, recorded, strict=True)
        records = [recorder.record(array.stack()) for recorder, array in each]
        return deltas.stack(), self._kept_at(time_steps - self.begin, to_initial), records

    def _kept_at(self, left, from_future: tf.Tensor) -> tf.Tensor:
        """Return what goes back over the border after which `left` steps lie, 0 where it is cut."""
        if self.truncate is None:
            return from_future
        cut = tf.logical_and(left % self.truncate == 0, left > 0)
        return tf.where(cut, tf.zeros_like(from_future), from_future)

    def _step(self, time_steps, t, from_future, deltas, recorded):
        # Here, not after the matrix product: with the elementwise one XLA makes a single kernel of it.
        from_future = self._kept_at(time_steps - 1 - t, from_future)
        g = from_future if self.direct is None else from_future + tf.gather(self.direct, t)
        delta = self.slopes(t) * g
        each = zip(self.recorders, recorded, strict=True)
        recorded = [array.write(t, recorder.partial(g, delta)) for recorder, array in each]
        return t - 1, tf.matmul(delta, self.transposed), deltas.write(t, delta), recorded
