"""The gradient of a batch from the backward passes of its S parts (clipping is in `rnnexp.training.model`).

    L = 1/S sum_s L_s,   dL/dw = 1/S sum_s dL_s/dw,   ||dL/dh_t||^2 = 1/S^2 sum_s ||dL_s/dh_t||^2

for parts of equal size, L_s the mean loss over part s. Samples do not interact before the sum over the batch
in dL/dw, so the parts can be differentiated at the same time.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Differentiated(NamedTuple):
    """The results of one backward pass.

    Attributes:
        loss: The task's own loss, the mean over samples.
        trained_loss: L, the loss that is differentiated: the task's own and the terms that layers add.
        gradients: dL/dw of every weight.
        log_norms: ln ||dL/dh_t||, one (T,) for each recurrent layer that is recorded.
    """

    loss: tf.Tensor
    trained_loss: tf.Tensor
    gradients: list[tf.Tensor]
    log_norms: list[tf.Tensor]


def averaged(parts: Sequence[Differentiated]) -> Differentiated:
    """Return the results for the whole batch from those of its parts, which have equal size."""
    losses, trained_losses, gradients, log_norms = zip(*parts, strict=True)
    return Differentiated(
        _mean(losses),
        _mean(trained_losses),
        [_mean(of_weight) for of_weight in zip(*gradients, strict=True)],
        [_joint(of_layer) for of_layer in zip(*log_norms, strict=True)],
    )


def _mean(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(tensors) / len(tensors)


def _joint(log_norms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return ln(sqrt(sum_s n_s^2) / S) from ln n_s, without over- or underflow of a square."""
    log_root = tf.reduce_logsumexp(2 * tf.stack(log_norms), axis=0) / 2
    return log_root - math.log(len(log_norms))
