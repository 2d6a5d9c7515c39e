"""What the backward loop of a scan keeps of every step: adjoints, or the logarithms of their norms."""

import math
from typing import NamedTuple

import tensorflow as tf

from rnnexp.nn.log_norm import log_norm


class Vectors(NamedTuple):
    """Records g_t = dL/dh_t and delta_t = dL/da_t of every step of a loop.

    Attributes:
        like: A state, (B, H).
        missing: What stands where there is no step.
    """

    like: tf.Tensor
    missing: float = 0.0

    def array(self, time_steps) -> tf.TensorArray:
        """Return an empty array with a place for the `partial` of each step."""
        return tf.TensorArray(self.like.dtype, size=time_steps, element_shape=(2, *self.like.shape))

    def partial(self, g: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
        """Return g_t and delta_t of one step, (2, B, H)."""
        return tf.stack([g, delta])

    def record(self, partials: tf.Tensor) -> tf.Tensor:
        """Return g_t and delta_t of all steps, (T, 2, B, H)."""
        return partials


def recorder_of(tap: tf.Tensor, states: tf.Tensor) -> "LogNorm | Vectors":
    """Return the recorder of what `tap` asks for by its shape."""
    return Vectors(states[0]) if tap.shape.rank == 4 else LogNorm.of(tap, states)


class LogNorm:
    """Records ln ||g_t|| of every step of a loop, without over- or underflow of the squares.

    The loop sums the squares along one axis only; the other sum and the logarithm follow after the loop, for
    all steps at once. float32 is squared in float64, whose exponent range holds every square. For float64 the
    loop records logarithms instead, from `rnnexp.nn.log_norm`.
    """

    missing = -math.inf
    """What stands where there is no step."""

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
