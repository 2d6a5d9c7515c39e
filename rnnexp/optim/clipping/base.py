"""What a clip is: gradients in; gradients out, with their norm before and after; a state where it has one.

At training step k: clipped, state_{k+1} = update(gradients, weights, state_k), with state_0 = init(weights).
"""

import abc
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf

Tensors = Sequence["tf.Tensor"]

State = tuple["tf.Tensor", ...]
"""Of a clip: tensors whose shapes and dtypes stay what they are; `()` of one without a state."""


Limited = tuple[list["tf.Tensor"], "tf.Tensor", State]
"""Clipped gradients, whether any was changed, and what is remembered next."""


class Clipped(NamedTuple):
    """What a clip returns.

    Attributes:
        gradients: The gradients after clipping, in the order, shapes and dtype in which they came.
        norm_before: `global_norm` of the gradients that came, a scalar of their dtype.
        norm_after: `global_norm` of `gradients`, a scalar of their dtype.
        clipped: Whether any gradient was changed, a boolean scalar.
        skipped: Whether the gradients are not finite and no update is to be made, a boolean scalar; they are
            zeros then. None of a clip that never asks for that.
        replaced: Whether something else stands in for gradients that are lost, a boolean scalar; None of a
            clip that never does that.
    """

    gradients: "list[tf.Tensor]"
    norm_before: "tf.Tensor"
    norm_after: "tf.Tensor"
    clipped: "tf.Tensor"
    skipped: "tf.Tensor | None" = None
    replaced: "tf.Tensor | None" = None


def check_fixed(threshold: object) -> None:
    """Raise `ArgumentError` unless a threshold that no clip finds by itself is a finite number above 0."""
    if threshold == "auto":
        expected = "a finite number above 0 (clip=norm and clip=global_norm take auto, too)"
        raise checks.ArgumentError("threshold", expected, threshold)
    checks.positive("threshold", threshold)


class Clip(abc.ABC):
    """A map from the gradients of all variables, and a state, to clipped gradients and the next state.

    Both methods run eagerly and inside `tf.function`, with XLA or without. A checkpoint holds the state.
    """

    def init(self, weights: Tensors) -> State:
        """Return the state before the first step; by default there is none."""
        return ()

    @abc.abstractmethod
    def update(self, gradients: Tensors, weights: Tensors, state: State) -> tuple[Clipped, State]:
        """Return the clipped gradients and the next state.

        Args:
            gradients: Of all weights.
            weights: The Keras variables, in the order of `gradients`.
            state: What `init` returned, or the last `update`.

        Raises:
            ArgumentError: There are no gradients.
        """

    def metrics(self, state: "Sequence[np.ndarray]") -> Mapping[str, float]:
        """Return what a run records of the state at its end, by the names of metrics."""
        return {}


class StatelessClip(Clip):
    """A clip that sees nothing but the gradients of the step."""

    def update(self, gradients: Tensors, weights: Tensors, state: State) -> tuple[Clipped, State]:
        """Return the clipped gradients, and no state."""
        return self(gradients), ()

    def __call__(self, gradients: Tensors) -> Clipped:
        """Return the clipped gradients, their global norms before and after, and whether they changed.

        Raises:
            ArgumentError: There are no gradients.
        """
        norm = global_norm(gradients)
        return measured(norm, *self._clip(gradients))

    @abc.abstractmethod
    def _clip(self, gradients: Tensors) -> "tuple[list[tf.Tensor], tf.Tensor]":
        """Return the clipped gradients and whether any was changed."""


class SkippingClip(Clip):
    """A clip that lets no gradients through whose global norm is not finite.

    The update of such a step is not made: weights, the state of the optimizer and what the clip remembers
    stay as they are. It is counted, in the last tensor of the state.
    """

    def init(self, weights: Tensors) -> State:
        """Return what the clip remembers before the first step, and the number of skipped updates, 0."""
        return (*self._init(weights), tf.zeros((), tf.float64))

    def update(self, gradients: Tensors, weights: Tensors, state: State) -> tuple[Clipped, State]:
        """Return the clipped gradients and the next state.

        Raises:
            ArgumentError: There are no gradients.
        """
        *memory, skipped = state
        norm = global_norm(gradients)
        finite = tf.math.is_finite(norm)
        usable = tf.cast(tf.where(finite, norm, tf.zeros_like(norm)), tf.float64)
        kept, exceeds, later = self._limit(gradients, weights, usable, tuple(memory))
        kept = [tf.where(finite, gradient, tf.zeros_like(gradient)) for gradient in kept]
        clipped = measured(norm, kept, exceeds | ~finite)._replace(skipped=~finite)
        memory = [tf.where(finite, *pair) for pair in zip(later, memory, strict=True)]
        return clipped, (*memory, skipped + tf.cast(~finite, tf.float64))

    def metrics(self, state: "Sequence[np.ndarray]") -> Mapping[str, float]:
        """Return the number of updates that were skipped."""
        return {"grad/skipped": float(state[-1])}

    def _init(self, weights: Tensors) -> State:
        """Return what is remembered before the first step; by default nothing."""
        return ()

    @abc.abstractmethod
    def _limit(self, gradients: Tensors, weights: Tensors, norm: "tf.Tensor", memory: State) -> Limited:
        """Return what is left of the gradients.

        `norm` is the global norm, float64; 0 where it is not finite, when nothing of this is used.
        """


def measured(norm: "tf.Tensor", kept: "list[tf.Tensor]", clipped: "tf.Tensor") -> Clipped:
    """Return what a clip returns: the norm before, the gradients it keeps, and whether it changed any."""
    # XLA may sum the same numbers in another order the second time; equal gradients have equal norms.
    return Clipped(kept, norm, tf.where(clipped, global_norm(kept), norm), clipped)


def global_norm(gradients: Tensors) -> "tf.Tensor":
    """Return ||g||_2 = m * sqrt(sum_i (g_i / m)^2), m = max_i |g_i|, over the entries of all `gradients`.

    With m factored out no square overflows or underflows: the norm is right wherever the dtype can hold it,
    and inf above that. It is inf if an entry is infinite, nan if an entry is nan. Entries below the smallest
    normal number count as 0, because devices differ in whether they keep such numbers.

    Raises:
        ArgumentError: There are no gradients.
    """
    largest, ratio = _factored_norm(gradients)
    return largest * ratio


def _factored_norm(gradients: Tensors) -> "tuple[tf.Tensor, tf.Tensor]":
    """Return (m, ||g / m||_2), whose product is the norm; m is 1 where the largest entry cannot divide."""
    if len(gradients) == 0:
        raise checks.ArgumentError("gradients", "at least one tensor", gradients)
    largest = tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(gradient)) for gradient in gradients]))
    smallest_normal = np.finfo(largest.dtype.as_numpy_dtype).tiny
    divides = tf.math.is_finite(largest) & (largest >= smallest_normal)
    scale = tf.where(divides, largest, tf.ones_like(largest))
    squares = tf.add_n([tf.reduce_sum(tf.square(gradient / scale)) for gradient in gradients])
    return scale, tf.sqrt(squares)


def shrink(gradients: Tensors, threshold: "float | tf.Tensor") -> "tuple[list[tf.Tensor], tf.Tensor]":
    """Return the gradients with their joint norm brought down to `threshold`, and whether it was above."""
    largest, ratio = _factored_norm(gradients)
    limit = as_tensor(threshold, largest.dtype)
    exceeds = (largest * ratio > limit) & tf.math.is_finite(ratio)
    # The norm itself may overflow where each of its factors does not. The ratio is at least 1 whenever it is
    # used, so the maximum changes no result; it keeps a zero gradient from dividing by zero.
    factor = limit / tf.maximum(ratio, tf.ones_like(ratio))
    return [tf.where(exceeds, gradient / largest * factor, gradient) for gradient in gradients], exceeds


def as_tensor(threshold: "float | tf.Tensor", dtype: "tf.DType") -> "tf.Tensor":
    """Return a threshold in the dtype of the gradients."""
    # By way of float64: 1e300 becomes inf in float32, which nothing exceeds, where `tf.constant` would warn.
    return tf.cast(tf.convert_to_tensor(threshold, tf.float64), dtype)
