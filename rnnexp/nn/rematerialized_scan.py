"""The recurrence over time in segments, whose states the backward pass computes again to save memory.

    h_t = phi(W_xh^T x_t + b + W_hh^T h_{t-1}),   t = 1 .. T = K_1 + (S - 1) K,   1 <= K_1 <= K

The forward pass stores the state before each of the S segments, (S, B, H). The backward pass takes the
segments from the last to the first: it projects the inputs of a segment, computes its states again from the
stored one, differentiates it as `rnnexp.nn.scan` does, and adds to the gradients of the weights. Beside
inputs and their gradient, memory is (S + c K) B H numbers, c about 4, instead of c T B H; least at K near
sqrt(T). Time grows by one more forward pass.

If all states are returned, they fill (T, B, H) anyway: they are stored, none is computed twice, and the
segments save the memory of dL/da_t of all steps.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnexp.nn.scan import Recurrence, Scanned, steps_of


def segmented_scan(
    x: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor | None,
    recurrent_kernel: tf.Tensor,
    initial_state: tf.Tensor,
    activation: Callable[[tf.Tensor], tf.Tensor],
    *,
    segment: int,
    return_states: bool = True,
    taps: Sequence[tf.Tensor] = (),
) -> Scanned:
    """Run h_t = phi(W_xh^T x_t + b + W_hh^T h_{t-1}) over time, differentiable once.

    Args:
        x: The inputs, (T, B, F).
        kernel: W_xh, (F, H).
        bias: b, (H,), or None.
        recurrent_kernel: W_hh, (H, H).
        initial_state: h_0, (B, H).
        activation: phi, elementwise.
        segment: K, at least 1. If T is not a multiple of K, the first segment is shorter.
        return_states: Whether to return all states.
        taps: As for `rnnexp.nn.scan.scan`.

    Returns:
        A `Scanned`. Gradients exist for all inputs and for `taps`; they equal those of `scan` to rounding.

    Source: Chen et al. 2016, Training deep nets with sublinear memory cost (https://arxiv.org/abs/1604.06174).
    """
    bias = tf.zeros_like(kernel[0]) if bias is None else bias

    @tf.custom_gradient
    def run(x, kernel, bias, recurrent_kernel, initial_state, *taps):
        segments = _Segments.of(steps_of(x), segment)
        network = _Network(x, kernel, bias, recurrent_kernel, activation)
        forward = _forward_with_states if return_states else _forward
        last, stored = forward(network, segments, initial_state)

        def adjoint(*upstream):
            direct = upstream[0] if return_states else None
            return _Backward(network, segments, stored, direct, taps).run(upstream[-1])

        return ((stored.states, last) if return_states else last), adjoint

    result = run(x, kernel, bias, recurrent_kernel, initial_state, *taps)
    return Scanned(*result) if return_states else Scanned(None, result)


class _Segments(NamedTuple):
    """T steps as one segment of `first` steps and `rest` segments of `length` steps, 1 <= first <= length."""

    length: int | tf.Tensor
    first: int | tf.Tensor
    rest: int | tf.Tensor

    @classmethod
    def of(cls, time_steps: int | tf.Tensor, length: int) -> "_Segments":
        shorter = min(time_steps, length) if isinstance(time_steps, int) else tf.minimum(time_steps, length)
        first = (time_steps - 1) % shorter + 1
        return cls(shorter, first, (time_steps - first) // shorter)

    def bounds(self, k) -> tuple:
        """Return the first step and the number of steps of segment k = 1 .. rest; segment 0 is (0, first)."""
        return self.first + (k - 1) * self.length, self.length

    def array(self, like: tf.Tensor) -> tf.TensorArray:
        """Return an empty array with a place (K, ...) for each segment, in type and shape like `like`."""
        length = self.length if isinstance(self.length, int) else None
        return tf.TensorArray(like.dtype, size=self.rest + 1, element_shape=(length, *like.shape[1:]))

    def padded(self, part: tf.Tensor) -> tf.Tensor:
        """Return the value (K_1, ...) of the first segment, padded with zeros at its start to length K."""
        missing = self.length - self.first
        return tf.pad(part, [[missing, 0], *[[0, 0]] * (part.shape.rank - 1)])

    def joined(self, array: tf.TensorArray, like: tf.Tensor) -> tf.Tensor:
        """Return the values of all segments as one (T, ...), without the padding of the first."""
        stacked = array.stack()
        flat = tf.reshape(stacked, tf.concat([[-1], tf.shape(stacked)[2:]], axis=0))
        return tf.ensure_shape(flat[self.length - self.first :], like.shape)


class _Network(NamedTuple):
    """Inputs, weights and activation: with h_0 they determine the states."""

    x: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor
    recurrent_kernel: tf.Tensor
    activation: Callable[[tf.Tensor], tf.Tensor]

    def recurrence(self, x: tf.Tensor, initial_state: tf.Tensor) -> Recurrence:
        """Return the recurrence over `x`, (T, B, F) or a segment of it, from `initial_state`, (B, H)."""
        projected = tf.tensordot(x, self.kernel, 1) + self.bias
        return Recurrence(projected, self.recurrent_kernel, initial_state, self.activation)


class _Stored(NamedTuple):
    """What the forward pass stores: `borders`, the states before the segments (S, B, H); `states` or None."""

    borders: tf.Tensor
    states: tf.Tensor | None


def _forward(network: _Network, segments: _Segments, initial_state) -> tuple[tf.Tensor, _Stored]:
    """Return h_T, and store the borders alone."""
    borders = tf.TensorArray(initial_state.dtype, segments.rest + 1, element_shape=initial_state.shape)

    def end(state, bounds):
        return network.recurrence(_cut(network.x, *bounds), state).states()[-1]

    def step(k, state, borders):
        return k + 1, end(state, segments.bounds(k)), borders.write(k, state)

    _, last, borders = tf.while_loop(
        lambda k, *_: k <= segments.rest,
        step,
        (1, end(initial_state, (0, segments.first)), borders.write(0, initial_state)),
        maximum_iterations=segments.rest,
    )
    return last, _Stored(borders.stack(), None)


def _forward_with_states(network: _Network, segments: _Segments, initial_state) -> tuple[tf.Tensor, _Stored]:
    """Return h_T, and store all states, which the caller holds anyway."""
    states = network.recurrence(network.x, initial_state).states()
    before = tf.gather(states, segments.first - 1 + segments.length * tf.range(segments.rest))
    return states[-1], _Stored(tf.concat([initial_state[tf.newaxis], before], axis=0), states)


class _Backward:
    """The loop over segments from the last to the first."""

    def __init__(self, network: _Network, segments: _Segments, stored: _Stored, direct, taps):
        self.network = network
        self.segments = segments
        self.stored = stored
        self.direct = direct
        self.taps = taps

    def run(self, from_future: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return the gradients of x, W_xh, b, W_hh and h_0, and one record for each tap."""
        weights = (self.network.kernel, self.network.bias, self.network.recurrent_kernel)
        sums = tuple(tf.zeros_like(weight) for weight in weights)
        by_step = (self.network.x, *self.taps)
        arrays = [self.segments.array(sequence) for sequence in by_step]
        _, from_future, sums, arrays = tf.while_loop(
            lambda k, *_: k >= 1,
            self._step,
            (self.segments.rest, from_future, sums, arrays),
            maximum_iterations=self.segments.rest,
        )
        to_initial, more, parts = self._segment(0, (0, self.segments.first), from_future)
        sums = tuple(total + part for total, part in zip(sums, more, strict=True))
        arrays = [
            array.write(0, self.segments.padded(part)) for array, part in zip(arrays, parts, strict=True)
        ]
        joined = [self.segments.joined(*pair) for pair in zip(arrays, by_step, strict=True)]
        return joined[0], *sums, to_initial, *joined[1:]

    def _step(self, k, from_future, sums, arrays):
        from_future, more, parts = self._segment(k, self.segments.bounds(k), from_future)
        sums = tuple(total + part for total, part in zip(sums, more, strict=True))
        return k - 1, from_future, sums, [a.write(k, part) for a, part in zip(arrays, parts, strict=True)]

    def _segment(self, k, bounds, from_future):
        """Return dL/dh before segment k, its terms of dL/dW_xh, dL/db and dL/dW_hh, its dL/dx and records."""
        x = _cut(self.network.x, *bounds)
        recurrence = self.network.recurrence(x, tf.gather(self.stored.borders, k))
        states = recurrence.states() if self.stored.states is None else _cut(self.stored.states, *bounds)
        direct = None if self.direct is None else _cut(self.direct, *bounds)
        back = recurrence.adjoint(states, direct, from_future, self.taps)
        to_kernel = tf.tensordot(x, back.deltas, axes=[[0, 1], [0, 1]])
        to_x = tf.tensordot(back.deltas, self.network.kernel, axes=[[2], [1]])
        sums = (to_kernel, tf.reduce_sum(back.deltas, axis=[0, 1]), back.to_kernel)
        return back.to_initial, sums, [to_x, *back.records]


def _cut(sequence: tf.Tensor, begin, size) -> tf.Tensor:
    """Return `size` steps from `begin` on, of (T, B, ...)."""
    begins = [begin, *[0] * (sequence.shape.rank - 1)]
    # XLA does not accept -1 as a size if the start is not a constant.
    part = tf.slice(sequence, begins, [size, *tf.unstack(tf.shape(sequence)[1:], sequence.shape.rank - 1)])
    return tf.ensure_shape(part, (size if isinstance(size, int) else None, *sequence.shape[1:]))
