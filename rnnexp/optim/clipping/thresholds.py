"""Clips with a threshold that is chosen before the run, and no state.

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

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnnexp.optim.clipping.base import StatelessClip, as_tensor, shrink
from rnnexp.runtime import checks

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class NoClip(StatelessClip):
    """g <- g: nothing is clipped, the norms are still measured."""

    def _clip(self, gradients: "Sequence[tf.Tensor]") -> "tuple[list[tf.Tensor], tf.Tensor]":
        import tensorflow as tf

        return list(gradients), tf.constant(False)


@dataclasses.dataclass(frozen=True)
class _Thresholded(StatelessClip):
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

        limit = as_tensor(self.threshold, gradients[0].dtype)
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
        pairs = [shrink([gradient], self.threshold) for gradient in gradients]
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
        return shrink(gradients, self.threshold)


def _any(flags: "list[tf.Tensor]") -> "tf.Tensor":
    import tensorflow as tf

    return tf.reduce_any(tf.stack(flags))
