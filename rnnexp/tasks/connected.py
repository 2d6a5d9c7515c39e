"""Are two pixels connected?"""

import math

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task

_CLOSED, _OPEN, _MARKED = -1.0, 0.0, 1.0
_ATTEMPTS = 4
"""Mazes drawn for each missing image; nearly half of the mazes can be used."""


class Connected(Task):
    """Two open pixels are marked: does a path of open pixels join them?

        x_t = the image, at every step t = 1 .. T;    y = 1 if a path joins the marks, else 0

    A path goes from a pixel to one of its four neighbours. Pixels of the `side` x `side` image are -1
    (closed), 0 (open) or 1 (open and marked). A share of 0.6 is open, near the threshold of 0.593 at which
    paths begin to cross the plane (Ziff 1992, https://doi.org/10.1103/PhysRevLett.69.2670), so that paths are
    long and bent. `x` is (B, T, side^2), row by row, `y` (B,), to be predicted at the last step. The image is
    the same at every step: T = `seq_len` is how often information can move to neighbouring pixels. This is
    the connectedness of Minsky and Papert 1969, which no layer of bounded receptive field decides.

    The two answers are equally likely:

        floor_loss = ln 2  nats,    floor_error = 1/2

    Criterion: under 5 % of 10,000 fresh images wrong; it is this project's own.

    Args:
        seq_len: T, at least 1.
        side: Pixels along each side, at least 3.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    loss = "cross_entropy"
    loss_unit = "nats"
    criterion = 0.05

    output_size = 2
    floor_loss = math.log(2)
    floor_error = 0.5

    def __init__(self, seq_len: int, side: int = 8):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        self.side = checks.integer("side", side, minimum=3)
        self.input_size = self.side**2

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, side^2) and `y` (B,) of batch `index`."""
        rng = generator(seed, stream, index)
        y = rng.integers(2, size=batch_size, dtype=np.int32)
        images = np.empty((batch_size, self.input_size), np.float32)
        for answer in (0, 1):
            images[y == answer] = _images(rng, int(np.sum(y == answer)), self.side, answer)
        return Batch(np.repeat(images[:, None], self.time_steps, axis=1), y)


def reached(is_open: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the pixels (n, side, side) that a path of open pixels joins with `start`, all of them bool."""
    found, size = start & is_open, -1
    while size != (size := int(found.sum())):
        wide = np.pad(found, ((0, 0), (1, 1), (1, 1)))
        beside = wide[:, :-2, 1:-1] | wide[:, 2:, 1:-1] | wide[:, 1:-1, :-2] | wide[:, 1:-1, 2:]
        found = is_open & (found | beside)
    return found


def _images(rng: np.random.Generator, count: int, side: int, answer: int) -> np.ndarray:
    """Return `count` images (count, side^2) whose answer is `answer`."""
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < count:
        missing = count - sum(map(len, kept))
        kept.append(_try(rng, _ATTEMPTS * missing, side, answer)[:missing])
    return np.concatenate([np.empty((0, side**2), np.float32), *kept])


def _try(rng: np.random.Generator, count: int, side: int, answer: int) -> np.ndarray:
    """Draw `count` mazes and a mark in each; return those in which the other mark can stand, marked."""
    is_open = rng.random((count, side * side)) < 0.6
    first = _choose(rng, is_open)
    start = np.zeros_like(is_open)
    start[np.arange(count), first] = True
    shape = (count, side, side)
    joined = reached(is_open.reshape(shape), start.reshape(shape)).reshape(is_open.shape)
    others = is_open & ~start & (joined == bool(answer))
    second = _choose(rng, others)
    images = np.where(is_open, _OPEN, _CLOSED).astype(np.float32)
    rows = np.arange(count)
    images[rows, first] = images[rows, second] = _MARKED
    return images[others.any(axis=1)]


def _choose(rng: np.random.Generator, allowed: np.ndarray) -> np.ndarray:
    """Return one of the allowed places of every row, (n,); any place where none is."""
    return np.where(allowed, rng.random(allowed.shape), -1.0).argmax(axis=1)
