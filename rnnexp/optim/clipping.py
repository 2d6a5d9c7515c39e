"""Gradient clipping as pure functions: gradients in; gradients out, with their norm before and after.

All of them take a list of float32 or of float64 tensors, run eagerly and inside `tf.function`, with XLA or
without, and leave what they do not clip unchanged to the bit. None hides a gradient that is not finite:

| | an entry is +inf or -inf | an entry is nan |
|---|---|---|
| `NoClip` | unchanged | unchanged |
| `Value` | becomes +threshold or -threshold | stays nan, the other entries are clipped |
| `Norm` | that variable unchanged, the others are clipped | that variable unchanged, the others are clipped |
| `GlobalNorm` | all unchanged | all unchanged |

In each of these cases `norm_before` is inf or nan.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnnexp.runtime import checks

if TYPE_CHECKING:
    import tensorflow as tf


class Clipped(NamedTuple):
    """What a clip returns.

    Attributes:
        gradients: The gradients after clipping, in the order, shapes and dtype in which they came.
        norm_before: `global_norm` of the gradients that came, a scalar of their dtype.
        norm_after: `global_norm` of `gradients`, a scalar of their dtype.
        clipped: Whether any gradient was changed, a boolean scalar.
    """

    gradients: "list[tf.Tensor]"
    norm_before: "tf.Tensor"
    norm_after: "tf.Tensor"
    clipped: "tf.Tensor"


class Clip(abc.ABC):
    """A map from the gradients of all variables to clipped ones."""

    def __call__(self, gradients: "Sequence[tf.Tensor]") -> Clipped:
        """Return the clipped gradients, their global norms before and after, and whether they changed.

        Raises:
            ArgumentError: There are no gradients.
        """
        import tensorflow as tf

        norm_before = global_norm(gradients)
        kept, clipped = self._clip(gradients)
        # XLA may sum the same numbers in another order the second time; equal gradients have equal norms.
        norm_after = tf.where(clipped, global_norm(kept), norm_before)
        return Clipped(kept, norm_before, norm_after, clipped)

    @abc.abstractmethod
    def _clip(self, gradients: "Sequence[tf.Tensor]") -> "tuple[list[tf.Tensor], tf.Tensor]":
        """Return the clipped gradients and whether any was changed."""


@dataclasses.dataclass(frozen=True)
class NoClip(Clip):
    """g <- g: nothing is clipped, the norms are still measured."""

    def _clip(self, gradients: "Sequence[tf.Tensor]") -> "tuple[list[tf.Tensor], tf.Tensor]":
        import tensorflow as tf

        return list(gradients), tf.constant(False)


@dataclasses.dataclass(frozen=True)
class _Thresholded(Clip):
    threshold: float

    def __post_init__(self) -> None:
        checks.positive("threshold", self.threshold)


@dataclasses.dataclass(frozen=True)
class Value(_Thresholded):
    """g_i <- min(max(g_i, -threshold), threshold), entry by entry; the direction of g is not kept.

    Args:
        threshold: The largest |g_i| that passes, a finite number above 0, in the gradient's unit.

    Raises:
        ArgumentError: `threshold` is outside its domain.

    Source: Mikolov 2012, "Statistical language models based on neural networks" (PhD thesis, Brno University
    of Technology).
    """

    def _clip(self, gradients: "Sequence[tf.Tensor]") -> "tuple[list[tf.Tensor], tf.Tensor]":
        import tensorflow as tf

        limit = _as_tensor(self.threshold, gradients[0].dtype)
        # A comparison with nan is false on every device, whereas minimum and maximum treat nan as they like.
        exceeds = [tf.abs(gradient) > limit for gradient in gradients]
        kept = [
            tf.where(mask, limit * tf.sign(gradient), gradient)
            for mask, gradient in zip(exceeds, gradients, strict=True)
        ]
        return kept, _any([tf.reduce_any(mask) for mask in exceeds])


@dataclasses.dataclass(frozen=True)
class Norm(_Thresholded):
    """g <- g * min(1, threshold / ||g||_2), each variable's gradient g by itself.

    The direction of each g is kept, that of all of them together is not. Keras calls this `clipnorm`.

    Args:
        threshold: The largest norm of one variable's gradient, a finite number above 0.

    Raises:
        ArgumentError: `threshold` is outside its domain.
    """

    def _clip(self, gradients: "Sequence[tf.Tensor]") -> "tuple[list[tf.Tensor], tf.Tensor]":
        pairs = [_shrink([gradient], self.threshold) for gradient in gradients]
        return [kept for (kept,), _ in pairs], _any([exceeds for _, exceeds in pairs])


@dataclasses.dataclass(frozen=True)
class GlobalNorm(_Thresholded):
    """g <- g * min(1, threshold / ||g||_2), g the gradients of all variables together.

    The direction of g is kept. Keras calls this `global_clipnorm`.

    Args:
        threshold: The largest norm of the whole gradient, a finite number above 0.

    Raises:
        ArgumentError: `threshold` is outside its domain.

    Source: Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063, algorithm 1.
    """

    def _clip(self, gradients: "Sequence[tf.Tensor]") -> "tuple[list[tf.Tensor], tf.Tensor]":
        return _shrink(gradients, self.threshold)


def global_norm(gradients: "Sequence[tf.Tensor]") -> "tf.Tensor":
    """Return ||g||_2 = m * sqrt(sum_i (g_i / m)^2), m = max_i |g_i|, over the entries of all `gradients`.

    With m factored out no square overflows or underflows: the norm is right wherever the dtype can hold it,
    and inf above that. It is inf if an entry is infinite, nan if an entry is nan. Entries below the smallest
    normal number count as 0, because devices differ in whether they keep such numbers.

    Raises:
        ArgumentError: There are no gradients.
    """
    largest, ratio = _factored_norm(gradients)
    return largest * ratio


def _factored_norm(gradients: "Sequence[tf.Tensor]") -> "tuple[tf.Tensor, tf.Tensor]":
    """Return (m, ||g / m||_2), whose product is the norm; m is 1 where the largest entry cannot divide."""
    import tensorflow as tf

    if len(gradients) == 0:
        raise checks.ArgumentError("gradients", "at least one tensor", gradients)
    largest = tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(gradient)) for gradient in gradients]))
    smallest_normal = np.finfo(largest.dtype.as_numpy_dtype).tiny
    divides = tf.math.is_finite(largest) & (largest >= smallest_normal)
    scale = tf.where(divides, largest, tf.ones_like(largest))
    squares = tf.add_n([tf.reduce_sum(tf.square(gradient / scale)) for gradient in gradients])
    return scale, tf.sqrt(squares)


def _shrink(gradients: "Sequence[tf.Tensor]", threshold: float) -> "tuple[list[tf.Tensor], tf.Tensor]":
    """Return the gradients with their joint norm brought down to `threshold`, and whether it was above."""
    import tensorflow as tf

    largest, ratio = _factored_norm(gradients)
    limit = _as_tensor(threshold, largest.dtype)
    exceeds = (largest * ratio > limit) & tf.math.is_finite(ratio)
    # The norm itself may overflow where each of its factors does not. The ratio is at least 1 whenever it is
    # used, so the maximum changes no result; it keeps a zero gradient from dividing by zero.
    factor = limit / tf.maximum(ratio, tf.ones_like(ratio))
    return [tf.where(exceeds, gradient / largest * factor, gradient) for gradient in gradients], exceeds


def _as_tensor(threshold: float, dtype: "tf.DType") -> "tf.Tensor":
    import tensorflow as tf

    # By way of float64: 1e300 becomes inf in float32, which nothing exceeds, where `tf.constant` would warn.
    return tf.cast(tf.constant(threshold, tf.float64), dtype)


def _any(flags: "list[tf.Tensor]") -> "tf.Tensor":
    import tensorflow as tf

    return tf.reduce_any(tf.stack(flags))


CATALOGUE: dict[str, type[Clip]] = {
    "none": NoClip,
    "value": Value,
    "norm": Norm,
    "global_norm": GlobalNorm,
}
"""The clips by their names in the configuration."""
