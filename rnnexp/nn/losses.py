"""Losses of a task, one number for each sequence."""

import tensorflow as tf

from rnnexp.nn.padding import is_step
from rnnexp.runtime import checks

KINDS = ("squared_error", "cross_entropy")
"""The losses, as `rnnexp.tasks.Task.loss` names them."""


def sequence_losses(
    kind: str, y: tf.Tensor, prediction: tf.Tensor, first: tf.Tensor | None = None
) -> tf.Tensor:
    """Return the loss of every sequence, (B,), in the dtype of `prediction`.

        squared_error:  (1/O) sum_o (y_o - yhat_o)^2              y (B, O),   prediction (B, O)
        cross_entropy:  -ln softmax(yhat)_y  nats                 y (B,),     prediction (B, O)
                        the same, its mean over the T steps       y (B, T),   prediction (B, T, O)

    The batch loss is the mean over B, so that neither B nor T changes the scale of a clip threshold.

    Args:
        kind: One of `KINDS`.
        y: The targets.
        prediction: What the network answers.
        first: The first step, from 0, that is one of the sequences (`rnnexp.nn.padding`); None: all are.

    Raises:
        ArgumentError: `kind` is neither.
    """
    if checks.choice("kind", kind, KINDS) == "squared_error":
        losses = tf.square(tf.cast(y, prediction.dtype) - prediction)
    else:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=prediction)
    if losses.shape.rank == 1:
        return losses
    if first is None or kind == "squared_error":
        return tf.reduce_mean(losses, axis=1)
    time_steps = tf.shape(losses)[1]
    kept = tf.where(is_step(time_steps, first), losses, tf.zeros_like(losses))
    return tf.reduce_sum(kept, axis=1) / tf.cast(time_steps - first, losses.dtype)


def last_step(y: tf.Tensor, prediction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the targets (B,) or (B, O) and the predictions (B, O) of the last scored step.

    If every step is scored, prediction (B, T, O), these are y_T and yhat_T; else the arguments themselves.
    """
    every_step = prediction.shape.rank == 3
    return (y[:, -1], prediction[:, -1]) if every_step else (y, prediction)
