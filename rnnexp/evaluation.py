"""What a network scores on fresh sequences."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from rnnexp.losses import sequence_losses
from rnnexp.tasks import Batch, Task
from rnnexp.tasks.task import VALIDATION_SEQUENCES
from rnnexp.verdict import Validation, mean_interval

BATCH = 500
"""Sequences a batch: large enough for the forward pass to be cheap, and a divisor of 10,000."""


class Evaluator:
    """Scores a network on the validation sequences of a task.

    Args:
        network: The network; it is traced once for every batch shape.
        task: The task.
        seed: Seed of the fresh sequences.
        jit: Whether to compile with XLA.
    """

    def __init__(self, network: keras.Model, task: Task, seed: int, jit: bool):
        self._network = network
        self._task = task
        self._seed = seed
        self._score = tf.function(self._forward, jit_compile=jit, reduce_retracing=True)

    def evaluate(self, sequences: int | None = None) -> Validation:
        """Score at least `sequences` validation sequences, or all where None."""
        losses: list[np.ndarray] = []
        errors: list[np.ndarray] = []
        for x, y in self._batches(sequences):
            loss, prediction = self._score(tf.cast(x, self._network.compute_dtype), y)
            losses.append(loss.numpy())
            errors.append(self._task.errors(prediction.numpy(), y))
        mean, half_width = mean_interval(np.concatenate(losses))
        error = float(np.mean(np.concatenate(errors)))
        return Validation(mean, half_width, error, enough=sequences is None)

    def _batches(self, sequences: int | None) -> Iterable[Batch]:
        wanted = VALIDATION_SEQUENCES if sequences is None else sequences
        seen = 0
        for batch in self._task.validation(self._seed, BATCH):
            if seen >= wanted and sequences is not None:
                return
            seen += len(batch.x)
            yield batch

    def _forward(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        prediction = self._network(x, training=False)
        return sequence_losses(self._task.loss, y, prediction), prediction
