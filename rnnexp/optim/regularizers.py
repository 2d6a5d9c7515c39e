"""Regularizers: terms that are added to the loss that is trained, and not to the loss of the task.

    trained loss = mean_b l_b + R(weights, batch)

A record, a validation and a floor keep mean_b l_b, the task's own loss.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rnnexp.runtime import checks

if TYPE_CHECKING:
    import tensorflow as tf


class Regularizer(abc.ABC):
    """A term R of the trained loss."""

    @abc.abstractmethod
    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return R, a scalar of the weights' dtype, or None where there is none.

        It is called where gradients are taken, and runs inside `tf.function`, with XLA or without. Where a
        batch is differentiated in parts, it is called with each part, and R is the mean.

        Args:
            weights: The trainable weights of the network by their Keras paths, `recurrent/.../kernel` say.
            x: The batch, (B, T, F).
            y: What the network is to answer.
        """


@dataclasses.dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """R = 0: the loss of the task is trained."""

    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return None."""
        return None


@dataclasses.dataclass(frozen=True)
class _Weighted(Regularizer):
    strength: float

    def __post_init__(self) -> None:
        checks.positive("strength", self.strength)


@dataclasses.dataclass(frozen=True)
class L2(_Weighted):
    """R = strength * sum_W ||W||_F^2 over all matrices: input, recurrent and readout; biases are free.

    The gradient is 2 strength W.

    Args:
        strength: A finite number above 0.

    Raises:
        ArgumentError: `strength` is outside its domain.
    """

    strength: float = 1e-4

    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return R."""
        import tensorflow as tf

        matrices = [weight for path, weight in weights.items() if path.endswith("kernel")]
        return self.strength * tf.add_n([tf.reduce_sum(tf.square(matrix)) for matrix in matrices])


@dataclasses.dataclass(frozen=True)
class Orthogonal(_Weighted):
    """R = strength * ||W^T W - I||_F^2, W = W_hh (H, H); of a gated cell the sum over its blocks.

    The gradient is 4 strength W (W^T W - I); R is 0 for an orthogonal W alone.

    Args:
        strength: A finite number above 0.

    Raises:
        ArgumentError: `strength` is outside its domain.

    Source: Vorontsov et al. 2017, https://arxiv.org/abs/1702.00071, equation 8.
    """

    strength: float = 0.01

    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return R."""
        import tensorflow as tf

        (kernel,) = (weight for path, weight in weights.items() if path.endswith("/recurrent_kernel"))
        units, columns = kernel.shape
        blocks = tf.split(tf.convert_to_tensor(kernel), columns // units, axis=1)
        identity = tf.eye(units, dtype=blocks[0].dtype)
        return self.strength * tf.add_n(
            [
                tf.reduce_sum(tf.square(tf.matmul(block, block, transpose_a=True) - identity))
                for block in blocks
            ]
        )


CATALOGUE: dict[str, type[Regularizer]] = {"none": NoRegularizer, "l2": L2, "orthogonal": Orthogonal}
"""The regularizers by their names in the configuration."""
