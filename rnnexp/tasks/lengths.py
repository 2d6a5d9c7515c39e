"""One task at many lengths: a batch of one length each, drawn anew for every batch."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Stream, Task


class Padded(NamedTuple):
    """A batch whose sequences may be shorter than their tensor, which is padded in front.

    Attributes:
        x: (B, T, F), T that of the longest; zeros before `first`.
        y: As of a `Batch`; where every step is scored, (B, T) with zeros before `first`.
        first: The first step, from 0, that belongs to the sequences.
    """

    x: np.ndarray
    y: np.ndarray
    first: int


class Lengths(NamedTuple):
    """The lengths of the batches of a training.

        n ~ uniform over shortest .. longest, both included, one for each batch

    The last step of a sequence stands in the last place whatever its length, so that every batch has the
    shape of the longest, and a lag from the end has one place.

    Attributes:
        shortest: The least n.
        longest: The largest n.
        at: n -> the task with `seq_len` n.
    """

    shortest: int
    longest: int
    at: Callable[[int], Task]

    @property
    def time_steps(self) -> int:
        """T of the longest sequences."""
        return self.at(self.longest).time_steps

    def drawn(self, seed: int, stream: Stream, index: int) -> int:
        """Return the length n of batch `index` of `stream` under `seed`, whatever was drawn before."""
        rng = generator(seed, f"{stream}_length", index)
        return int(rng.integers(self.shortest, self.longest, endpoint=True))

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Padded:
        """Return batch `index` of `stream` under `seed`: that of the task at the length drawn, padded."""
        task = self.at(self.drawn(seed, stream, index))
        batch, first = task.batch(seed, stream, index, batch_size), self.time_steps - task.time_steps
        y = in_front(batch.y, first) if task.scores_every_step else batch.y
        return Padded(in_front(batch.x, first), y, first)


def in_front(sequences: np.ndarray, missing: int) -> np.ndarray:
    """Return the sequences (B, T, ...) with `missing` steps of zeros before them.

    >>> in_front(np.ones((1, 2)), 1).tolist()
    [[0.0, 1.0, 1.0]]
    """
    return np.pad(sequences, ((0, 0), (missing, 0), *[(0, 0)] * (sequences.ndim - 2)))
