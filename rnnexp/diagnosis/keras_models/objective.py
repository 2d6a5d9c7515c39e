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
    """

    loss: tf.Tensor
    samples: tf.Tensor


class Losses(CompileLoss):
    """Losses whose variables, Keras' running mean of each of several, are made outside of a trace.

    Made inside, they would have the pass traced twice. A trace uses them: keep the losses as long as it.
    """

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Resolve the losses for the structure of the outputs."""
        # A graph of its own hides the one that is traced, which would take note of every new variable.
        with tf.Graph().as_default(), context.eager_mode():
            super().build(y_true, y_pred)


def losses_of(model: keras.Model, loss: Any) -> Losses | None:
    """Return `loss` where it is given, else a copy of what `model` was compiled with, not yet built."""
    if loss is not None:
        return Losses(loss, output_names=getattr(model, "output_names", None))
    compiled = model._compile_loss
    if compiled is None:
        return None
    names = compiled.output_names
    return Losses(compiled._user_loss, compiled._user_loss_weights, compiled.reduction, names)


def objective(
    model: keras.Model, losses: Losses | None, given: bool, batch: Batch, prediction: Any, training: bool
) -> Objective:
    """Return the loss of a batch.

    The compiled loss comes from `model.compute_loss`, so that several outputs, weights, added losses and an
    override of this method count; the model's own compiled losses are neither built nor updated.
    Sample weights count as in `fit`: they are part of l_b.

    Args:
        model: The model.
        losses: Those of `losses_of`.
        given: Whether they replace the compiled ones.
        batch: The batch.
        prediction: The model's output for it.
        training: Whether layers run in training mode.

    Raises:
        ArgumentError: No loss is given and the model has none either.
    """
    if given:
        value = losses(batch.y, prediction, batch.sample_weight)
    else:
        _check_loss(model)
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
    return Objective(tf.reduce_sum(value), tf.constant(1) if _is_sum(losses) else batch_size)


def _check_loss(model: keras.Model) -> None:
    overridden = type(model).compute_loss is not keras.Model.compute_loss
    if model._compile_loss is None and not overridden and not model.losses:
        raise ArgumentError("loss", "a Keras loss or a callable, since the model is compiled with none", None)


def _is_sum(losses: CompileLoss | None) -> bool:
    """Whether every compiled loss sums over the batch. A loss of unknown reduction counts as a mean."""
    if losses is None or not losses.built:
        return False
    return all(part.loss.reduction in ("sum", "none", None) for part in losses._flat_losses)
