"""The loss whose gradient is measured."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras.src.trainers.compile_utils import CompileLoss
from tensorflow.python.eager import context

from rnnexp.diagnosis.keras_models.data import Batch
from rnnexp.nn.tapped_step import covered
from rnnexp.runtime.checks import ArgumentError


class Objective(NamedTuple):
    """L, as training differentiates it, and the factor between it and the loss of a sample.

    Attributes:
        loss: L, a scalar.
        samples: sum_b l_b / L: B where L is a mean over the batch, 1 where it is a sum.
        means: Keras' running means of several losses, whose variables a trace needs as long as it lasts.
    """

    loss: tf.Tensor
    samples: tf.Tensor
    means: list[keras.metrics.Metric]


class _Losses(CompileLoss):
    """Losses whose running means are made outside of a trace: made inside, the pass would be traced twice."""

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Resolve the losses for the structure of the outputs."""
        # A graph of its own hides the one that is traced, which would take note of every new variable.
        with tf.Graph().as_default(), context.eager_mode():
            super().build(y_true, y_pred)


def objective(model: keras.Model, loss: Any, batch: Batch, prediction: Any, training: bool) -> Objective:
    """Return the loss of a batch: `loss` where it is given, else what `model` was compiled with.

    The compiled loss comes from `model.compute_loss`, so that several outputs, weights, added losses and an
    override of this method count. It uses a copy of the compiled losses, so that the model's own are neither
    built nor updated.
    Sample weights count as in `fit`: they are part of l_b.

    Raises:
        ArgumentError: `loss` is None and the model has none either.
    """
    if loss is not None:
        losses: Any = _Losses(loss, output_names=getattr(model, "output_names", None))
        value = losses(batch.y, prediction, batch.sample_weight)
    else:
        _check_loss(model)
        losses = _copy(model._compile_loss)
        with covered(model, "_compile_loss", losses):
            value = model._compute_loss(
                x=batch.x,
                y=batch.y,
                y_pred=prediction,
                sample_weight=batch.sample_weight,
                training=training,
            )
    inputs = next(data for data in keras.tree.flatten(batch.x) if data is not None)
    batch_size = tf.cast(
        inputs.nrows() if isinstance(inputs, tf.RaggedTensor) else tf.shape(inputs)[0], tf.int32
    )
    samples = tf.constant(1) if _is_sum(losses) else batch_size
    return Objective(tf.reduce_sum(value), samples, [] if losses is None else losses.metrics)


def _check_loss(model: keras.Model) -> None:
    overridden = type(model).compute_loss is not keras.Model.compute_loss
    if model._compile_loss is None and not overridden and not model.losses:
        raise ArgumentError("loss", "a Keras loss or a callable, since the model is compiled with none", None)


def _copy(losses: CompileLoss | None) -> CompileLoss | None:
    if losses is None:
        return None
    return _Losses(
        losses._user_loss, losses._user_loss_weights, losses.reduction, output_names=losses.output_names
    )


def _is_sum(losses: CompileLoss | None) -> bool:
    """Whether every compiled loss sums over the batch. A loss of unknown reduction counts as a mean."""
    if losses is None or not losses.built:
        return False
    return all(part.loss.reduction in ("sum", "none", None) for part in losses._flat_losses)
