"""NARMA-10: a nonlinear moving average that a network has to imitate."""

import functools

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task

_ORDER = 10
_TOLERANCE = 0.05
"""Largest absolute error that counts as right, about half a standard deviation of the output."""


class Narma10(Task):
    """The tenth-order system of Atiya and Parlos 2000 (https://doi.org/10.1109/72.846741).

        v_{t+1} = min(1, .3 v_t + .05 v_t (v_t + ... + v_{t-9}) + 1.5 u_{t-9} u_t + .1),   v_1 = 0

    driven by u_t ~ U[0, 1/2] independent, everything before the first step 0. The bound of 1 is not in the
    paper: without it one sequence in several thousand diverges. `x` (B, T, 1) holds u, `y` (B, 1) is
    v_{T+1}, T = `seq_len`: the network must multiply inputs that are nine steps apart, and v is not an input.

    The floor is that of the best constant, the mean of v_{T+1}. It has no closed form: it is the variance
    over 50,000 sequences with a seed of their own, known to 1 %.

    An error is a sequence that is missed by more than 0.05. There is no published criterion; 5 % is this
    project's own.

    Args:
        seq_len: T, at least 1.

    Raises:
        ArgumentError: The argument is outside its domain.
    """

    loss = "squared_error"
    loss_unit = "squared error"
    tolerance = _TOLERANCE
    criterion = 0.05

    input_size = 1
    output_size = 1

    def __init__(self, seq_len: int):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        self.floor_loss, self.floor_error = _floor(self.time_steps)

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 1) and `y` (B, 1) of batch `index`."""
        drive = generator(seed, stream, index).random((batch_size, self.time_steps), dtype=np.float32) / 2
        return Batch(drive[:, :, None], narma10(drive)[:, None].astype(np.float32))


def narma10(drive: np.ndarray) -> np.ndarray:
    """Return v_{T+1} (B,) of the drive u (B, T), both in float64."""
    u = np.pad(drive.astype(np.float64), ((0, 0), (_ORDER - 1, 0)))  # u_t stands at t + 8
    recent = np.zeros((len(u), _ORDER))  # v_{t-9} .. v_t
    for t in range(drive.shape[1]):
        now = recent[:, -1]
        after = 0.3 * now + 0.05 * now * recent.sum(axis=1) + 1.5 * u[:, t] * u[:, t + _ORDER - 1] + 0.1
        recent = np.concatenate([recent[:, 1:], np.minimum(after, 1)[:, None]], axis=1)
    return recent[:, -1]


@functools.cache
def _floor(time_steps: int) -> tuple[float, float]:
    # The system forgets its initial state within about thirty steps, so 60 suffice.
    drive = generator(0, "weights").random((50_000, min(time_steps, 60))) / 2
    y = narma10(drive)
    return float(y.var()), float(np.mean(np.abs(y - y.mean()) > _TOLERANCE))
