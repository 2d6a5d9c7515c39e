"""Validation: loss and error of a network on sequences that training has not seen."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from rnnexp.diagnosis.verdict import Validation
from rnnexp.nn.losses import sequence_losses
from rnnexp.nn.network import recurrent_layers
from rnnexp.tasks import Batch, Task

BATCH = 500
"""Sequences a batch: large enough for the forward pass to be cheap, and a divisor of 10,000."""


class Evaluator:
    """Scores a network on the validation sequences of a task.

        loss = mean_b l_b,    half_width = t std(l_b) / sqrt(n),    error = mean_b e_b
        below = mean_b (c_b - l_b),    c_b the loss of the baseline (`Task.baseline_losses`)

    with l_b the loss of sequence b (`rnnexp.nn.losses.sequence_losses`), e_b its error (`Task.errors`) and n
    the sequences that were scored.

    Args:
        network: The network, x (B, T, F) -> y. It is traced once for every batch shape: twice at most, since
            only the last batch may be short.
        task: The task.
        seed: Seed of the fresh sequences.
        jit: Whether to compile with XLA.
        batch_size: Sequences a forward pass.
    """

    def __init__(self, network: keras.Model, task: Task, seed: int, jit: bool, batch_size: int = BATCH):
        self._network = network
        self._task = task
        self._seed = seed
        self._batch_size = batch_size
        self._score = tf.function(self._forward, autograph=False, jit_compile=jit)

    def evaluate(self, sequences: int | None = None) -> Validation:
        """Score the network with its present weights.

        Args:
            sequences: Least number of sequences to score, in whole batches. None: all, 10,000 fresh
                ones or the held-out part of a finite data set; only then is `enough` true.
        """
        losses: list[np.ndarray] = []
        baseline: list[np.ndarray] = []
        errors: list[np.ndarray] = []
        for batch in self._batches(sequences):
            loss, prediction = self._score(tf.constant(batch.x), tf.constant(batch.y))
            losses.append(loss.numpy())
            baseline.append(self._task.baseline_losses(batch))
            errors.append(self._task.errors(prediction.numpy(), batch.y))
        return Validation.of(
            np.concatenate(losses),
            np.concatenate(baseline),
            np.concatenate(errors),
            enough=sequences is None,
        )

    def _batches(self, sequences: int | None) -> Iterable[Batch]:
        batches = self._task.validation(self._seed, self._batch_size)
        return batches if sequences is None else itertools.islice(batches, -(-sequences // self._batch_size))

    def _forward(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        prediction = self._network(x, training=False)
        return sequence_losses(self._task.loss, y, prediction), prediction


_HELD = 64 * 2**20
"""Numbers of states that a forward pass may hold."""


def sequences_at_once(time_steps: int, units: int) -> int:
    """Return how many sequences a forward pass takes: 500, and fewer of long ones, for the memory.

    Args:
        time_steps: T.
        units: Of all layers together.

    >>> sequences_at_once(200, 64), sequences_at_once(5000, 64)
    (500, 209)
    """
    return max(1, min(BATCH, _HELD // (time_steps * units)))


class Score(NamedTuple):
    """What a network scored on a task at another length."""

    task: Task
    score: Validation


def score_at(network: keras.Model, tasks: Iterable[Task], seed: int, sequences: int) -> tuple[Score, ...]:
    """Score the network, which takes sequences of any length, on each of the tasks.

    Args:
        network: The network.
        tasks: One task at several lengths.
        seed: Seed of the fresh sequences.
        sequences: How many of each length, at least.
    """
    units = sum(layer.cell.units for layer in recurrent_layers(network))

    def scored(task: Task) -> Score:
        at_once = min(sequences, sequences_at_once(task.time_steps, units))
        return Score(task, Evaluator(network, task, seed, jit=False, batch_size=at_once).evaluate(sequences))

    return tuple(scored(task) for task in tasks)
