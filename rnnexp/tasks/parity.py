"""Parity: is the number of ones so far odd?"""

import math

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, shortest_window


class Parity(Task):
    """The parity of all bits so far.

        y_t = (b_1 + ... + b_t) mod 2,    b_t in {0, 1} equally likely,    x_t = 2 b_t - 1

    `x` is (B, T, 1), `y` (B, T), T = `seq_len`. A state of one bit is enough, but it has to be a function of
    the state before that no sum of the inputs replaces: linear recurrences and attention of fixed depth do
    not learn it at every length (Merrill, Petty and Sabharwal 2024, https://arxiv.org/abs/2404.08819).

    y_t given all bits but one is still a fair coin, so that every constant scores at best

        floor_loss = ln 2  nats per step,    floor_error = 1/2

    and so does, at every step t > k, a predictor of the last k bits. An error is the share of wrong
    steps of a sequence. Criterion: under 1 % of the steps of 10,000 fresh sequences wrong; it is this
    project's own.

    Args:
        seq_len: T, at least 1.

    Raises:
        ArgumentError: The argument is outside its domain.
    """

    scores_every_step = True
    loss = "cross_entropy"
    loss_unit = "nats per step"
    criterion = 0.01
    any_length = True

    input_size = 1
    output_size = 2
    floor_loss = math.log(2)
    floor_error = 0.5

    def __init__(self, seq_len: int):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 1) and `y` (B, T) of batch `index`."""
        bits = generator(seed, stream, index).integers(2, size=(batch_size, self.time_steps), dtype=np.int32)
        return Batch((2 * bits - 1).astype(np.float32)[:, :, None], bits.cumsum(axis=1, dtype=np.int32) % 2)

    def proven_horizon(self, loss: float) -> float:
        """Return T (1 - loss / ln 2), the steps that a predictor must have seen to have this loss."""
        return shortest_window(np.linspace(math.log(2), 0, self.time_steps + 1), loss)
