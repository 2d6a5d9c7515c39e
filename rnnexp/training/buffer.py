"""The buffer on the device in which training steps write their record."""

import math

import numpy as np
import tensorflow as tf

from rnnexp.optim.clipping import Clipped
from rnnexp.training.record import SCALARS, SKIPPED, Recorded


class Buffer:
    """Holds the record of the last training steps, one row each, so that recording needs no transfer.

    Args:
        rows: Training steps that it holds; read it before it wraps around.
        time_steps: T, or 0 where no norms are recorded.
        layers: L, recurrent layers whose norms are recorded.

    Attributes:
        rows: As above.
        taken: A variable: training steps since the start of the run.
    """

    def __init__(self, rows: int, time_steps: int, layers: int = 1):
        self.rows = rows
        self.taken = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._log_norms = tf.Variable(tf.zeros((rows, layers, time_steps)), trainable=False)
        self._scalars = tf.Variable(tf.zeros((rows, len(SCALARS)), tf.float64), trainable=False)

    def write(self, loss: tf.Tensor, clipped: Clipped, log_norms: list[tf.Tensor], batch_size: int) -> None:
        """Write the record of one training step, and count the step.

        Args:
            loss: The task's own loss.
            clipped: What the clip returned.
            log_norms: ln ||dL/dh_t||, (T,), of every layer, the lowest first; none where none are recorded.
            batch_size: B.
        """
        row = self.taken % self.rows
        scalars = (loss, clipped.norm_before, clipped.norm_after, _flag(clipped))
        values = tf.stack([tf.cast(scalar, tf.float64) for scalar in scalars])
        self._scalars.scatter_update(tf.IndexedSlices(values, row))
        if log_norms:
            rms = tf.stack(log_norms) + math.log(batch_size) / 2
            self._log_norms.scatter_update(tf.IndexedSlices(tf.cast(rms, tf.float32), row))
        self.taken.assign_add(1)

    def read(self, first: int) -> Recorded:
        """Return the record of the steps from `first` on.

        Raises:
            ValueError: The buffer no longer holds `first`.
        """
        train_steps = np.arange(first, int(self.taken), dtype=np.int64)
        if len(train_steps) > self.rows:
            raise ValueError(f"the buffer holds {self.rows} steps, {len(train_steps)} were asked for")
        rows = train_steps % self.rows
        lowest, *upper = np.moveaxis(self._log_norms.numpy()[rows], 1, 0)
        return Recorded(train_steps, lowest, self._scalars.numpy()[rows], tuple(upper))


def _flag(clipped: Clipped) -> tf.Tensor:
    """Return the record's entry for a clip: 0 unchanged, 1 clipped, or `SKIPPED`."""
    changed = tf.cast(clipped.clipped, tf.float64)
    for flag in (clipped.skipped, clipped.replaced):
        if flag is not None:
            changed = tf.where(flag, tf.constant(SKIPPED, tf.float64), changed)
    return changed
