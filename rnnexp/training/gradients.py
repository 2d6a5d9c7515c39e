"""A batch in parts: what each part's backward pass gives, and what they give together.

    L = 1/S sum_s L_s,   dL/dw = 1/S sum_s dL_s/dw,   ||dL/dh_t||^2 = 1/S^2 sum_s ||dL_s/dh_t||^2

for S parts of equal size, L_s the mean loss over part s. A sample's states meet no other sample's before the
sum over the batch in dL/dw, so the parts can be differentiated at the same time.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Differentiated(NamedTuple):
    """What one backward pass gives.

    Attributes:
        loss: The task's own loss, the mean over samples.
        trained_loss: L, that loss and all that the layers add to it; what is differentiated.
        gradients: dL/dw of every weight.
        log_norms: ln ||dL/dh_t||, one (T,) for each recurrent layer that is recorded.
    """

    loss: tf.Tensor
    trained_loss: tf.Tensor
    gradients: list[tf.Tensor]
    log_norms: list[tf.Tensor]


def averaged(parts: Sequence[Differentiated]) -> Differentiated:
    """Return what the whole batch gives, from parts of equal size."""
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
    """ln of the root of the sum of squares, over S: no square over- or underflows."""
    together = tf.reduce_logsumexp(2 * tf.stack(log_norms), axis=0) / 2
    return together - math.log(len(log_norms))
