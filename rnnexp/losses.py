"""Losses of a task, one number a sequence."""

import tensorflow as tf


def sequence_losses(kind: str, y: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
    """Return the loss of every sequence, (B,), the mean over its scored steps.

        squared_error:  (1/O) sum_o (y_o - yhat_o)^2                       y, prediction (B, O)
        cross_entropy:  -ln softmax(prediction)_y, nats                    y (B,) or (B, T), prediction + (O,)

    The batch loss is the mean over B, so that neither B nor T changes the scale of a clip threshold.
    """
    if kind == "squared_error":
        losses = tf.square(tf.cast(y, prediction.dtype) - prediction)
    else:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=prediction)
    return losses if losses.shape.rank == 1 else tf.reduce_mean(losses, axis=1)


def last_step(y: tf.Tensor, prediction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return targets and predictions of the last scored step where every step is scored, else both as they are."""
    every_step = prediction.shape.rank == 3
    return (y[:, -1], prediction[:, -1]) if every_step else (y, prediction)
