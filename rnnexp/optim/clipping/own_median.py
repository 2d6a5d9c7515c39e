"""A threshold that a run finds by itself: the median of the norms of its own first training steps.

    threshold_k = inf while k < 100,   then median(n_0 .. n_99)

with n_k the norm before clipping at training step k. A median of 0 is no threshold.
"""

import numpy as np

from rnnexp.optim.clipping.base import State
from rnnexp.runtime.deferred import tf

WARM_UP = 100
"""Training steps whose norms the median is of; nothing is clipped in them."""


def start(parts: int) -> State:
    """Return the state before the first step: the norms of each of the `parts` so far, and their number."""
    return tf.zeros((parts, WARM_UP), tf.float64), tf.zeros((), tf.int64)


def thresholds(state: State) -> "tf.Tensor":
    """Return the threshold of every part, float64 (parts,), inf where there is none yet."""
    norms, taken = state
    middle = WARM_UP // 2
    medians = tf.reduce_mean(tf.sort(norms, axis=1)[:, middle - 1 : middle + 1], axis=1)
    known = (taken >= WARM_UP) & (medians > 0)
    return tf.where(known, medians, tf.constant(np.inf, tf.float64))


def extended(state: State, norms: "tf.Tensor") -> State:
    """Return the state with the norms of another step, (parts,); after the warm-up it stays as it is."""
    before, taken = state
    here = tf.range(WARM_UP, dtype=tf.int64) == taken
    after = tf.where(here, tf.cast(norms, tf.float64)[:, tf.newaxis], before)
    return after, tf.minimum(taken + 1, tf.constant(WARM_UP, tf.int64))
