"""Logarithms of norms, without over- or underflow of the squares."""

from collections.abc import Sequence

import tensorflow as tf


def log_norm(g: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Return ln ||g|| over `axes`, float64, -inf for an exact zero.

    Narrower types are squared in float64, whose exponent range holds every square. In float64 the maximum is
    factored out: ln ||g|| = ln m + ln ||g / m||, m = max |g|.
    """
    axes = list(axes)
    if g.dtype != tf.float64:
        return tf.math.log(tf.reduce_sum(tf.square(tf.cast(g, tf.float64)), axis=axes)) / 2
    largest = tf.reduce_max(tf.abs(g), axis=axes, keepdims=True)
    # XLA's maximum ignores NaN. Where it is 0 or not finite divide by 1, so that a NaN in g stays one.
    largest = tf.where(tf.math.is_finite(largest) & (largest > 0), largest, tf.ones_like(largest))
    squares = tf.reduce_sum(tf.square(g / largest), axis=axes)
    return tf.math.log(squares) / 2 + tf.math.log(tf.reshape(largest, tf.shape(squares)))
