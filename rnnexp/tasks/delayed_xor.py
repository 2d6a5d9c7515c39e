"""Delayed exclusive or: two bits of the past, compared at every step."""

import math

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, shortest_window


class DelayedXor(Task):
    """The delayed exclusive or, as Engelken 2023 trains it (https://arxiv.org/abs/2312.17306).

        y_t = b_{t-d} xor b_{t-d/2},    b_t in {0, 1} equally likely,  b_t = 0 for t < 1,    x_t = 2 b_t - 1

    with d = `delay` and T = `seq_len`. `x` is (B, T, 1), `y` (B, T). The first d/2 targets are 0; the next
    d/2 are a single bit; from then on y_t needs two bits that lie d and d/2 steps back.

    Every later target is a fair coin to a predictor that does not see the inputs. A predictor that knows only
    the step scores

        floor_loss = (1 - (d/2)/T) ln 2  nats per step,    floor_error = (1 - (d/2)/T) / 2

    An error is the share of wrong steps of a sequence. Criterion: under 1 % of the steps of 10,000 fresh
    sequences wrong; it is this project's own.

    Args:
        seq_len: T, above `delay`.
        delay: d, an even number of steps, at least 2.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    scores_every_step = True
    loss = "cross_entropy"
    loss_unit = "nats per step"
    criterion = 0.01
    any_length = True

    input_size = 1
    output_size = 2

    def __init__(self, seq_len: int, delay: int = 10):
        self.delay = checks.integer("delay", delay, minimum=2)
        if self.delay % 2:
            raise ArgumentError("delay", "an even number of steps", delay)
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        if self.time_steps <= self.delay:
            raise ArgumentError("seq_len", f"more than {self.delay}, the delay", seq_len)
        scored = 1 - self.delay / 2 / self.time_steps
        self.floor_loss, self.floor_error = scored * math.log(2), scored / 2

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 1) and `y` (B, T) of batch `index`."""
        bits = generator(seed, stream, index).integers(2, size=(batch_size, self.time_steps), dtype=np.int32)
        y = _later(bits, self.delay) ^ _later(bits, self.delay // 2)
        return Batch((2 * bits - 1).astype(np.float32)[:, :, None], y)

    def proven_horizon(self, loss: float) -> float:
        """Return the steps that a predictor must have seen to have this loss, from 0 to d + 1."""
        floors = np.zeros(self.time_steps + 1)
        floors[: self.delay + 1] = (1 - self.delay / self.time_steps) * math.log(2)
        floors[: self.delay // 2 + 1] = self.floor_loss
        return float(np.ceil(shortest_window(floors, loss)))


def _later(bits: np.ndarray, time_steps: int) -> np.ndarray:
    """Return the bits (B, T), delayed by `time_steps`, with zeros at the start."""
    return np.pad(bits, ((0, 0), (time_steps, 0)))[:, : bits.shape[1]]
