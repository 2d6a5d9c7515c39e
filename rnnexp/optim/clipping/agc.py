"""AGC: the gradient of each unit is kept small beside the weights of that unit."""

import dataclasses

import numpy as np

from rnnexp.optim.clipping.base import Limited, SkippingClip, State, Tensors
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf


@dataclasses.dataclass(frozen=True)
class Agc(SkippingClip):
    """g_i <- g_i * min(1, factor * max(||w_i||, epsilon) / ||g_i||), each unit i of each weight by itself.

    w_i are the weights that enter unit i, a column of a kernel (F, H) or (H, H), and g_i is their gradient; a
    vector, such as a bias, is one unit. All weights are clipped, those of the readout too. The direction of
    each g_i is kept, that of the whole gradient is not. A step whose global norm is not finite is skipped.

    Args:
        factor: The largest ||g_i|| / ||w_i||, lambda of the paper, a finite number above 0.
        epsilon: The least ||w_i|| that counts, so that a weight that starts at 0 can grow; above 0.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Brock, De, Smith and Simonyan 2021, https://arxiv.org/abs/2102.06171, equation 3; the units are
    those of `optax.adaptive_grad_clip`.
    """

    factor: float = 0.01
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        checks.positive("factor", self.factor)
        checks.positive("epsilon", self.epsilon)

    def _limit(self, gradients: Tensors, weights: Tensors, norm: "tf.Tensor", memory: State) -> Limited:
        pairs = [self._shrink_units(*pair) for pair in zip(gradients, weights, strict=True)]
        return [kept for kept, _ in pairs], tf.reduce_any(tf.stack([changed for _, changed in pairs])), ()

    def _shrink_units(self, gradient: "tf.Tensor", weight: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        """Return the gradient of one weight, clipped, and whether that changed it."""
        largest, ratio = _factored_unit_norms(gradient)
        scale, of_weight = _factored_unit_norms(tf.convert_to_tensor(weight))
        limit = self.factor * tf.maximum(scale * of_weight, self.epsilon)
        exceeds = largest * ratio > limit
        # The ratio is at least 1 where it is used; the maximum keeps a zero gradient from dividing by zero.
        kept = gradient / largest * (limit / tf.maximum(ratio, tf.ones_like(ratio)))
        return tf.where(exceeds, kept, gradient), tf.reduce_any(exceeds)


def _factored_unit_norms(tensor: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
    """Return (m, ||x / m||), m = max |x|, of every unit, whose product is the norm; no square overflows."""
    axes = list(range(max(tensor.shape.rank - 1, 1))) if tensor.shape.rank else None
    largest = tf.reduce_max(tf.abs(tensor), axis=axes, keepdims=True)
    usable = tf.math.is_finite(largest) & (largest >= np.finfo(tensor.dtype.as_numpy_dtype).tiny)
    scale = tf.where(usable, largest, tf.ones_like(largest))
    return scale, tf.sqrt(tf.reduce_sum(tf.square(tensor / scale), axis=axes, keepdims=True))
