"""What truncated back-propagation changes: its gradient beside the full one, of the same weights and batch.

    cosine = <g_K, g> / (||g_K|| ||g||),    norm_ratio = ||g_K|| / ||g||

with g = dL/dw over all trainable weights, L the task's loss, and g_K the same gradient cut every K steps.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from rnnexp.nn.losses import sequence_losses
from rnnexp.tasks import Batch


class TruncationBias(NamedTuple):
    """`cosine` from -1 to 1, and `norm_ratio`, 1 without a bias; nan where a gradient is 0 or not finite."""

    cosine: float
    norm_ratio: float

    @classmethod
    def of(cls, truncated: np.ndarray, full: np.ndarray) -> "TruncationBias":
        """Return that of two gradients, each as one vector."""
        with np.errstate(all="ignore"):
            sizes = np.linalg.norm(truncated), np.linalg.norm(full)
            cosine = np.dot(truncated / sizes[0], full / sizes[1])
            return cls(float(cosine), float(sizes[0] / sizes[1]))


class TruncationProbe:
    """Measures the bias on a fixed batch.

    Args:
        full: A float64 network, as `rnnexp.nn.network.build_network` makes it.
        truncated: The same one, but truncated. The weights of both are overwritten at every look.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: The batch.
    """

    def __init__(self, full: keras.Model, truncated: keras.Model, loss_kind: str, batch: Batch):
        self._networks = (truncated, full)
        self._loss_kind = loss_kind
        self._x, self._y = tf.constant(batch.x, tf.float64), tf.constant(batch.y)
        self._gradients = tf.function(self._both, autograph=False)

    def measure(self, weights: list[np.ndarray]) -> TruncationBias:
        """Measure the network that has these weights, in the order of `keras.Model.get_weights`."""
        for network in self._networks:
            network.set_weights(weights)
        return TruncationBias.of(*(gradient.numpy() for gradient in self._gradients()))

    def _both(self) -> tuple[tf.Tensor, ...]:
        return tuple(self._gradient(network) for network in self._networks)

    def _gradient(self, network: keras.Model) -> tf.Tensor:
        """Return dL/dw, all weights as one vector."""
        with tf.GradientTape() as tape:
            prediction = network(self._x, training=False)
            loss = tf.reduce_mean(sequence_losses(self._loss_kind, self._y, prediction))
        gradients = tape.gradient(loss, network.trainable_variables)
        return tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], axis=0)
