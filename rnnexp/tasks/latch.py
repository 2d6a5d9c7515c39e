"""The latching problem: keep one bit while noise comes in."""

import math

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, shortest_window


class Latch(Task):
    """The latching problem (Bengio, Simard and Frasconi 1994, https://doi.org/10.1109/72.279181).

        x_t = (s, 0),  t <= L;    x_t = (0, n_t),  n_t ~ N(0, noise^2),  t > L;    y = 0 if s = -1, 1 if s = 1

    with s = -1 or 1 equally likely, L = `shown` and T = `seq_len`. `x` is (B, T, 2), `y` (B,) the class, to
    be predicted at the last step. In the paper the L inputs of each class are trained with the network; here
    they are fixed at s, and the row of the input kernel that reads them is trained.

    A predictor that sees none of the first L steps knows nothing about s:

        floor_loss = ln 2  nats,    floor_error = 1/2

    Criterion: under 1 % of 10,000 fresh sequences wrong, this project's application of that of Pascanu et al.
    2013 (https://arxiv.org/abs/1211.5063).

    Args:
        seq_len: T, above `shown`.
        shown: L, the steps that show the class, at least 1.
        noise: Standard deviation of the noise, in units of the signal, at least 0.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    loss = "cross_entropy"
    loss_unit = "nats"
    criterion = 0.01
    any_length = True

    input_size = 2
    output_size = 2
    floor_loss = math.log(2)
    floor_error = 0.5

    def __init__(self, seq_len: int, shown: int = 3, noise: float = 0.2):
        self.shown = checks.integer("shown", shown, minimum=1)
        self.noise = checks.non_negative("noise", noise)
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        if self.time_steps <= self.shown:
            raise ArgumentError("seq_len", f"more than {self.shown}, the steps that show the class", seq_len)

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 2) and `y` (B,) of batch `index`."""
        rng = generator(seed, stream, index)
        y = rng.integers(2, size=batch_size, dtype=np.int32)
        x = np.zeros((batch_size, self.time_steps, 2), np.float32)
        x[:, : self.shown, 0] = 2 * y[:, None] - 1
        after = (batch_size, self.time_steps - self.shown)
        x[:, self.shown :, 1] = self.noise * rng.standard_normal(after, dtype=np.float32)
        return Batch(x, y)

    def proven_horizon(self, loss: float) -> float:
        """Return the steps that a predictor must have seen to have this loss, from 0 to T - L + 1."""
        floors = np.full(self.time_steps + 1, math.log(2))
        floors[self.time_steps - self.shown + 1 :] = 0
        return float(np.ceil(shortest_window(floors, loss)))
