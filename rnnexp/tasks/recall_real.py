"""Recall of a real number that was shown some steps ago."""

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, shortest_window


class RecallReal(Task):
    """Recall the number of `lag` steps ago.

        y = x_{T - lag},    x_t ~ U[-1, 1] independent

    `x` is (B, T, 1), `y` (B, 1), T = `seq_len`. A linear network solves it, as a chain of units that pass the
    number on. Saxe, McClelland and Ganguli 2013 (https://arxiv.org/abs/1312.6120) ask how the time of
    learning grows with the depth, which corresponds to `lag`.

    A predictor that does not see step T - lag scores at best as the constant 0:

        floor_loss = E x^2 = 1/3  squared error,    floor_error = P(|x| > 0.1) = 0.9

    An error is a sequence that is missed by more than 0.1. Criterion: under 1 % of 10,000 fresh sequences
    wrong; tolerance and criterion are this project's own.

    Args:
        seq_len: T, at least 1.
        lag: Steps between the number and the answer, from 0 to T - 1; None: T - 1, the first number.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    loss = "squared_error"
    loss_unit = "squared error"
    tolerance = 0.1  # a twentieth of the range
    criterion = 0.01
    any_length = True

    input_size = 1
    output_size = 1
    floor_loss = 1 / 3
    floor_error = 1 - tolerance

    def __init__(self, seq_len: int, lag: int | None = None):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        last = self.time_steps - 1
        self.lag = last if lag is None else checks.integer("lag", lag, minimum=0, maximum=last)

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 1) and `y` (B, 1) of batch `index`."""
        rng = generator(seed, stream, index)
        x = 2 * rng.random((batch_size, self.time_steps, 1), dtype=np.float32) - 1
        return Batch(x, x[:, self.time_steps - 1 - self.lag].copy())

    def proven_horizon(self, loss: float) -> float:
        """Return the steps that a predictor must have seen to have this loss, from 0 to lag + 1."""
        floors = np.zeros(self.time_steps + 1)
        floors[: self.lag + 1] = self.floor_loss
        return float(np.ceil(shortest_window(floors, loss)))
