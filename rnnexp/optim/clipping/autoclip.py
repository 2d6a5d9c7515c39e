"""AutoClip: the threshold is a percentile of all norms so far, which are kept as counts."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rnnexp.optim.clipping.base import Limited, SkippingClip, State, Tensors, shrink
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf

_DROPPED = 16
"""Binary digits of a float32 that a level leaves out; sign, exponent and 7 digits are kept."""

_SHAPE = (256, 128)
"""Of the counts: one for each of the 2^15 levels that are not negative."""

_LEAST, _MOST = float(np.finfo(np.float32).tiny), 3e38


@dataclasses.dataclass(frozen=True)
class AutoClip(SkippingClip):
    """g <- g * min(1, q_k / ||g||_2), q_k a percentile of the norms of all steps so far, step k included.

    The norms are those before clipping, and none is forgotten. What is kept of each is its level, the norm
    rounded up to the next number of 8 binary digits: at most 1/128 above it. The state has one count for each
    of the 2^15 levels, however many steps are taken, and q_k is the percentile of the levels, linear between
    neighbours as `numpy.percentile`. Norms below 1.2e-38 count as 0, those above 3e38 as 3e38. A step whose
    norm is not finite is skipped, and its norm is not counted.

    Args:
        percentile: In [0, 100].

    Raises:
        ArgumentError: `percentile` is outside its domain.

    Source: Seetharaman, Wichern, Pardo and Le Roux 2020, https://arxiv.org/abs/2007.14469.
    """

    percentile: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= checks.finite("percentile", self.percentile) <= 100:
            raise checks.ArgumentError("percentile", "a number from 0 to 100", self.percentile)

    def metrics(self, state: Sequence[np.ndarray]) -> Mapping[str, float]:
        """Return the number of updates that were skipped, and the last threshold where there is one."""
        counts = state[0].ravel()
        places = np.flatnonzero(counts).astype(np.int32)
        if len(places) == 0:
            return super().metrics(state)
        levels = (places << _DROPPED).view(np.float32).astype(np.float64)
        threshold = float(np.percentile(np.repeat(levels, counts[places]), self.percentile))
        return {**super().metrics(state), "grad/clip_threshold": threshold}

    def _init(self, weights: Tensors) -> State:
        """Return the counts of the levels, all zero."""
        return (tf.zeros(_SHAPE, tf.int64),)

    def _limit(self, gradients: Tensors, weights: Tensors, norm: "tf.Tensor", memory: State) -> Limited:
        (counts,) = memory
        place = _place(norm)
        at = tf.stack([place // _SHAPE[1], place % _SHAPE[1]])
        counts = tf.tensor_scatter_nd_add(counts, at[tf.newaxis], tf.ones((1,), tf.int64))
        kept, exceeds = shrink(gradients, self._threshold(counts))
        return kept, exceeds, (counts,)

    def _threshold(self, counts: "tf.Tensor") -> "tf.Tensor":
        """Return the percentile, float64, of at least one level."""
        last = tf.reduce_sum(counts) - 1
        rank = tf.cast(last, tf.float64) * (self.percentile / 100)
        below = tf.cast(tf.floor(rank), tf.int64)
        low, high = _level_of_rank(counts, below), _level_of_rank(counts, tf.minimum(below + 1, last))
        return low + (high - low) * (rank - tf.floor(rank))


def _place(norm: "tf.Tensor") -> "tf.Tensor":
    """Return the place of the level of a norm, int32: the first digits of a float32, as an integer, plus 1.

    The integers grow with the numbers.
    """
    bits = tf.bitcast(tf.cast(tf.clip_by_value(norm, _LEAST, _MOST), tf.float32), tf.int32)
    place = tf.bitwise.right_shift(bits, _DROPPED) + 1
    return tf.where(norm < _LEAST, tf.zeros_like(place), place)


def _level_of_rank(counts: "tf.Tensor", rank: "tf.Tensor") -> "tf.Tensor":
    """Return the level of the norm that has `rank` norms before it, float64."""
    row, before = _first_above(tf.reduce_sum(counts, axis=1), rank)
    column, _ = _first_above(tf.gather(counts, row), rank - before)
    bits = tf.bitwise.left_shift(row * _SHAPE[1] + column, _DROPPED)
    return tf.cast(tf.bitcast(bits, tf.float32), tf.float64)


def _first_above(counts: "tf.Tensor", rank: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
    """Return the place, int32, at which the sum of the counts exceeds `rank`, and the sum before it."""
    sums = tf.cumsum(counts)
    passed = sums <= rank
    return tf.reduce_sum(tf.cast(passed, tf.int32)), tf.reduce_max(
        tf.where(passed, sums, tf.zeros_like(sums))
    )
