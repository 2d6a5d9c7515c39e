"""The recurrence over time and its hand-written adjoint.

    a_t = p_t + W_hh^T h_{t-1},   h_t = phi(a_t)                     forward,  t = 1 .. T
    g_t = dL/dh_t = (direct term of step t) + W_hh delta_{t+1}       backward, t = T .. 1
    delta_t = dL/da_t = phi'(a_t) * g_t
    dL/dW_hh = sum_t h_{t-1} delta_t^T                               one product, after the loop

with p_t = W_xh^T x_t + b the input projection of all steps, one product before the loop. Since da_t/dp_t = 1,
dL/dp_t equals delta_t, and autodiff takes it on to kernel, bias and inputs. The adjoint is written by hand so
that the norms of g_t can leave the loop, as the "gradient" of an otherwise unused input, the tap.

All arrays are time-major, (T, B, H), so that one step is one contiguous slice.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn.log_norm import log_norm


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

    Returns:
        A `Scanned`. Gradients exist for `projected`, `recurrent_kernel`, `initial_state` and `taps`.

    Source: back-propagation through time, Werbos 1990 (https://doi.org/10.1109/5.58337).
    """

    @tf.custom_gradient
    def run(projected, recurrent_kernel, initial_state, *taps):
        recurrence = Recurrence(projected, recurrent_kernel, initial_state, activation)
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
    """

    projected: tf.Tensor
    recurrent_kernel: tf.Tensor
    initial_state: tf.Tensor
    activation: Callable[[tf.Tensor], tf.Tensor]

    def states(self) -> tf.Tensor:
        """Return h_1 .. h_T, (T, B, H)."""
        time_steps = steps_of(self.projected)
        states = tf.TensorArray(self.projected.dtype, size=time_steps, element_shape=self.projected.shape[1:])

        def step(t, state, states):
            p = tf.gather(self.projected, t)
            state = self.activation(p + tf.matmul(state, self.recurrent_kernel))
            return t + 1, state, states.write(t, state)

        *_, states = tf.while_loop(
            lambda t, *_: t < time_steps, step, (0, self.initial_state, states), maximum_iterations=time_steps
        )
        return tf.ensure_shape(states.stack(), self.projected.shape)

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
        recorders = [_recorder(tap, states) for tap in taps]
        backward = _Backward(direct, self._slopes(states), self.recurrent_kernel, recorders)
        deltas, to_initial, records = backward.run(from_future, steps_of(self.projected))
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
    """The loop from t = T to 1: computes g_t and delta_t, and passes them to the `recorders`."""

    def __init__(self, direct, slopes, recurrent_kernel, recorders: "list[LogNorm | Vectors]"):
        self.direct = direct
        self.slopes = slopes
        self.transposed = tf.transpose(recurrent_kernel)
        self.recorders = recorders

    def run(self, from_future: tf.Tensor, time_steps) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Return deltas (T, B, H), dL/dh_0 (B, H) and one record for each of `recorders`."""
        deltas = tf.TensorArray(from_future.dtype, size=time_steps, element_shape=from_future.shape)
        recorded = [recorder.array(time_steps) for recorder in self.recorders]
        _, to_initial, deltas, recorded = tf.while_loop(
            lambda t, *_: t >= 0,
            self._step,
            (time_steps - 1, from_future, deltas, recorded),
            maximum_iterations=time_steps,
        )
        each = zip(self.recorders, recorded, strict=True)
        records = [recorder.record(array.stack()) for recorder, array in each]
        return deltas.stack(), to_initial, records

    def _step(self, t, from_future, deltas, recorded):
        g = from_future if self.direct is None else from_future + tf.gather(self.direct, t)
        delta = self.slopes(t) * g
        each = zip(self.recorders, recorded, strict=True)
        recorded = [array.write(t, recorder.partial(g, delta)) for recorder, array in each]
        return t - 1, tf.matmul(delta, self.transposed), deltas.write(t, delta), recorded


class Vectors(NamedTuple):
    """Records g_t = dL/dh_t and delta_t = dL/da_t of every step of a loop.

    Attributes:
        like: A state, (B, H).
    """

    like: tf.Tensor

    def array(self, time_steps) -> tf.TensorArray:
        """Return an empty array with a place for the `partial` of each step."""
        return tf.TensorArray(self.like.dtype, size=time_steps, element_shape=(2, *self.like.shape))

    def partial(self, g: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
        """Return g_t and delta_t of one step, (2, B, H)."""
        return tf.stack([g, delta])

    def record(self, partials: tf.Tensor) -> tf.Tensor:
        """Return g_t and delta_t of all steps, (T, 2, B, H)."""
        return partials


def _recorder(tap: tf.Tensor, states: tf.Tensor) -> "LogNorm | Vectors":
    """Return the recorder of what `tap` asks for by its shape."""
    return Vectors(states[0]) if tap.shape.rank == 4 else LogNorm.of(tap, states)


class LogNorm:
    """Records ln ||g_t|| of every step of a loop, without over- or underflow of the squares.

    The loop sums the squares along one axis only; the other sum and the logarithm follow after the loop, for
    all steps at once. float32 is squared in float64, whose exponent range holds every square. For float64 the
    loop records logarithms instead, from `rnnexp.nn.log_norm`.
    """

    def __init__(self, axis: int, size: int | None, dtype: tf.DType):
        self.axis = axis
        self.size = size
        self.wide = dtype == tf.float64

    @classmethod
    def of(cls, tap: tf.Tensor, states: tf.Tensor) -> "LogNorm":
        """Return the recorder of a tap: of the batch norm for a tap (T,), of sample norms for (T, B)."""
        per_sample = tap.shape.rank == 2
        return cls(axis=1 if per_sample else 0, size=states.shape[1 if per_sample else 2], dtype=states.dtype)

    def array(self, time_steps) -> tf.TensorArray:
        """Return an empty array with a place for the `partial` of each step."""
        return tf.TensorArray(tf.float64, size=time_steps, element_shape=(self.size,))

    def partial(self, g: tf.Tensor, delta: tf.Tensor | None = None) -> tf.Tensor:
        """Return the sum of squares of g (B, H) along the axis, or its logarithm if g is float64."""
        if self.wide:
            return 2 * log_norm(g, [self.axis])
        squares = tf.square(tf.cast(g, tf.float64))
        return tf.reduce_sum(squares, axis=1) if self.axis == 1 else _sum_of_rows(squares)

    def record(self, partials: tf.Tensor) -> tf.Tensor:
        """ln ||g_t|| from the partial sums of all steps: (T, B) per sample, else (T,)."""
        if self.axis == 1:
            return (partials if self.wide else tf.math.log(partials)) / 2
        if self.wide:
            return tf.reduce_logsumexp(partials, axis=1) / 2
        return tf.math.log(tf.reduce_sum(partials, axis=1)) / 2


_HALVINGS = 6  # each of them doubles the code that XLA generates for the sum


def _sum_of_rows(rows: tf.Tensor) -> tf.Tensor:
    """Return sum_b rows (B, H) -> (H,), by adding one half of the rows to the other again and again.

    XLA vectorises additions, but not a reduction that it has fused with the operations after it: in the
    backward loop this sum costs a fraction of `tf.reduce_sum`. It also has a smaller rounding error.
    """
    size = rows.shape[0]
    for _ in range(_HALVINGS):
        if size is None or size % 2 == 1:
            break
        size //= 2
        rows = rows[:size] + rows[size:]
    return tf.reduce_sum(rows, axis=0)
