"""Clips with a threshold: a number that is chosen before the run, or a norm that is usual in it.

The norm clips take `auto` for a threshold (`rnnexp.optim.clipping.own_median`), and have a state then.

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
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from rnnexp.optim.clipping import own_median
from rnnexp.optim.clipping.base import (
    Clip,
    Clipped,
    State,
    StatelessClip,
    Tensors,
    as_tensor,
    check_fixed,
    global_norm,
    measured,
    shrink,
)
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf


@dataclasses.dataclass(frozen=True)
class NoClip(StatelessClip):
    """g <- g: nothing is clipped, the norms are still measured."""

    def _clip(self, gradients: Tensors) -> "tuple[list[tf.Tensor], tf.Tensor]":
        return list(gradients), tf.constant(False)


@dataclasses.dataclass(frozen=True)
class Value(StatelessClip):
    """g_i <- min(max(g_i, -threshold), threshold), entry by entry; the direction of g is not kept.

    Args:
        threshold: The largest |g_i| that passes, a finite number above 0, in the gradient's unit.

    Raises:
        ArgumentError: `threshold` is outside its domain.

    Source: Mikolov 2012, "Statistical language models based on neural networks" (PhD thesis, Brno University
    of Technology).
    """

    threshold: float

    def __post_init__(self) -> None:
        check_fixed(self.threshold)

    def _clip(self, gradients: Tensors) -> "tuple[list[tf.Tensor], tf.Tensor]":
        limit = as_tensor(self.threshold, gradients[0].dtype)
        # A comparison with nan is false on every device, whereas minimum and maximum treat nan as they like.
        exceeds = [tf.abs(gradient) > limit for gradient in gradients]
        kept = [
            tf.where(mask, limit * tf.sign(gradient), gradient)
            for mask, gradient in zip(exceeds, gradients, strict=True)
        ]
        return kept, _any([tf.reduce_any(mask) for mask in exceeds])


@dataclasses.dataclass(frozen=True)
class _NormClip(Clip):
    threshold: float | Literal["auto"]

    def __post_init__(self) -> None:
        if self.threshold != "auto":
            try:
                checks.positive("threshold", self.threshold)
            except checks.ArgumentError as error:
                expected = f"auto or {error.expected}"
                raise checks.ArgumentError("threshold", expected, self.threshold) from None

    def init(self, weights: Tensors) -> State:
        """Return the state of the threshold `auto`; a number has none."""
        return own_median.start(len(self._parts(weights))) if self.threshold == "auto" else ()

    def update(self, gradients: Tensors, weights: Tensors, state: State) -> tuple[Clipped, State]:
        """Return the clipped gradients and the next state.

        Raises:
            ArgumentError: There are no gradients.
        """
        norm, parts = global_norm(gradients), self._parts(gradients)
        thresholds: Sequence[float | tf.Tensor] = [self.threshold] * len(parts)
        if self.threshold == "auto":
            thresholds = tf.unstack(own_median.thresholds(state))
            state = own_median.extended(state, tf.stack([global_norm(part) for part in parts]))
        shrunk = [shrink(part, threshold) for part, threshold in zip(parts, thresholds, strict=True)]
        kept = [gradient for part, _ in shrunk for gradient in part]
        return measured(norm, kept, _any([exceeds for _, exceeds in shrunk])), state

    def metrics(self, state: "Sequence[np.ndarray]") -> Mapping[str, float]:
        """Return the threshold that `auto` has found, where there is one for all gradients together."""
        if len(state) == 0 or len(state[0]) > 1 or state[1] < own_median.WARM_UP:
            return {}
        return {"grad/clip_threshold": float(np.median(state[0]))}

    @abc.abstractmethod
    def _parts(self, tensors: Tensors) -> list[Tensors]:
        """Return the tensors in the groups whose norms are limited."""


@dataclasses.dataclass(frozen=True)
class Norm(_NormClip):
    """g <- g * min(1, threshold / ||g||_2), each variable's gradient g by itself.

    The direction of each g is kept, that of all of them together is not. Keras calls this `clipnorm`.

    Args:
        threshold: The largest norm of one variable's gradient, a finite number above 0, or `"auto"`: of each
            variable, the median of its own norms at the first 100 training steps, in which none is clipped.

    Raises:
        ArgumentError: `threshold` is outside its domain.
    """

    def _parts(self, tensors: Tensors) -> list[Tensors]:
        return [[tensor] for tensor in tensors]


@dataclasses.dataclass(frozen=True)
class GlobalNorm(_NormClip):
    """g <- g * min(1, threshold / ||g||_2), g the gradients of all variables together.

    The direction of g is kept. Keras calls this `global_clipnorm`.

    Args:
        threshold: The largest norm of the whole gradient, a finite number above 0, or `"auto"`: the median of
            the norms at the first 100 training steps, in which nothing is clipped.

    Raises:
        ArgumentError: `threshold` is outside its domain.

    Source: Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063, algorithm 1.
    """

    def _parts(self, tensors: Tensors) -> list[Tensors]:
        return [tensors]


def _any(flags: "list[tf.Tensor]") -> "tf.Tensor":
    return tf.reduce_any(tf.stack(flags))
