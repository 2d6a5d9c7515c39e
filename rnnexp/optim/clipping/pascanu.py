"""The clip of Pascanu, Mikolov and Bengio's own code, with what it does where the norm is lost."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rnnexp.nn.cells.spec import RECURRENT_KERNEL
from rnnexp.optim.clipping.base import (
    Clip,
    Clipped,
    State,
    Tensors,
    check_fixed,
    global_norm,
    measured,
    shrink,
)
from rnnexp.runtime.deferred import tf

_LARGEST = 1e10
"""The norm beyond which the gradient is rounding."""

_DECAY = 0.02


@dataclasses.dataclass(frozen=True)
class Pascanu(Clip):
    """g <- g * min(1, threshold / ||g||_2); where ||g||_2 is nan, inf or above 1e10, W_hh shrinks instead.

    Then the gradient of W_hh is 0.02 W_hh, unclipped, and that of every other weight is 0: under plain
    gradient descent W_hh <- (1 - 0.02 learning_rate) W_hh. Such steps are counted. g is all gradients
    together, with what a regularizer has added.

    Args:
        threshold: The largest norm of the whole gradient, a finite number above 0.

    Raises:
        ArgumentError: `threshold` is outside its domain.

    Source: Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063, and their code,
    https://github.com/pascanur/trainingRNNs, `RNN.py`.
    """

    threshold: float = 1.0

    def __post_init__(self) -> None:
        check_fixed(self.threshold)

    def init(self, weights: Tensors) -> State:
        """Return the number of gradients that were replaced, 0."""
        return (tf.zeros((), tf.float64),)

    def update(self, gradients: Tensors, weights: Tensors, state: State) -> tuple[Clipped, State]:
        """Return the clipped gradients, or what stands in for them, and the next state.

        Raises:
            ArgumentError: There are no gradients.
        """
        (replaced,) = state
        norm = global_norm(gradients)
        lost = tf.logical_not(norm <= _LARGEST)  # of nan too
        kept, exceeds = shrink(gradients, self.threshold)
        kept = [
            tf.where(lost, _instead(weight), gradient) for weight, gradient in zip(weights, kept, strict=True)
        ]
        clipped = measured(norm, kept, exceeds | lost)._replace(replaced=lost)
        return clipped, (replaced + tf.cast(lost, tf.float64),)

    def metrics(self, state: Sequence[np.ndarray]) -> Mapping[str, float]:
        """Return the number of gradients that were replaced."""
        return {"grad/replaced": float(state[0])}


def _instead(weight: "tf.Tensor") -> "tf.Tensor":
    """Return what stands in for the gradient of a weight."""
    value = tf.convert_to_tensor(weight)
    return _DECAY * value if weight.path.endswith(RECURRENT_KERNEL) else tf.zeros_like(value)
