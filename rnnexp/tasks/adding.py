"""The adding problem: add two marked numbers among many."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, shortest_window, unseen, window

_LSTM_1997 = {100: 74_000, 500: 209_000, 1000: 853_000}
"""T: training sequences after which an LSTM had learned it (Hochreiter and Schmidhuber 1997, table 7)."""

Marks = tuple[np.ndarray, np.ndarray]
Windows = tuple[tuple[int, int], tuple[int, int]]
"""Where the first and the second mark lie: from this step on, up to the one before that."""


class Adding(Task):
    """The adding problem (Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735).

        y = offset + scale (v_p + v_q),    v_t ~ U[low, 1] independent,    p and q the marked steps

    `x` (B, T, 2) holds the values v and the markers, 1 at p and q and 0 elsewhere; `y` is (B, 1);
    T = `seq_len`. The targets in circulation differ in more than the target (y' is the prediction):

        target      y                   low   p and q                  an error is        floors
        sum         v_p + v_q             0   [0, T/2), [T/2, T)       (y' - y)^2 > .16   1/6, .36
        mean        (v_p + v_q) / 2       0   [0, T/10), [T/10, T/2)   (y' - y)^2 > .04   1/24, .36
        hochreiter  .5 + (v_p + v_q)/4   -1   see below                |y' - y| > .04     1/24, .8464

    `sum` is Le, Jaitly and Hinton 2015 (https://arxiv.org/abs/1504.00941) and Arjovsky, Shah and Bengio
    2016 (https://arxiv.org/abs/1511.06464). They compare losses; the criterion is that of `mean`, which is
    Pascanu, Mikolov and Bengio 2013 (https://arxiv.org/abs/1211.5063), at twice its scale: .04 on half the
    sum is .16 on the sum, so the same predictions count as wrong. `hochreiter` is experiment
    4 of 1997: p is one of the first ten steps, q one of the first T/2 - 1 others. Its markers of -1 at both
    ends are left out, and with them its rule that v_p = 0 where p is the first step. Lengths are fixed;
    1997 and 2013 draw them from T to 1.1 T.

    v_p + v_q has a triangular density of half-width w = 1 - low around its mean, so that the constant
    offset + scale (1 + low) scores

        floor_loss = (scale w)^2 / 6  squared error,    floor_error = (1 - tolerance / (scale w))^2

    A predictor of the last k steps does not know a value that was marked before: each has the variance
    (1 - low)^2 / 12, and with P_i(k) the probability that mark i lies before the last k steps

        loss >= (scale w)^2 / 12 (P_1(k) + P_2(k)),    for `sum` and even T  (1 - k/T) / 6

    with equality for the mean of the target given what was seen, so that a loss proves how far back a network
    has looked: `sum`, k >= T (1 - 6 loss).

    Criterion: under 1 % of 10,000 fresh sequences wrong (Pascanu et al. 2013, section 4), published for
    `mean`; 1997 judges `hochreiter` by 2,000 sequences in a row, and for `sum` no criterion is published.

    Args:
        seq_len: T, at least 2 (sum) or 10 (mean, hochreiter).
        target: `"sum"`, `"mean"` or `"hochreiter"`.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    loss = "squared_error"
    loss_unit = "squared error"
    criterion = 0.01
    any_length = True

    input_size = 2
    output_size = 1

    def __init__(self, seq_len: int, target: str = "sum"):
        self._variant = _VARIANTS[checks.choice("target", target, list(_VARIANTS))]
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=self._variant.shortest)
        self.target = target
        self.criterion_published = target == "mean"
        self.published_sequences = next(
            (n for length, n in _LSTM_1997.items() if self.time_steps <= length), None
        )
        self.tolerance = self._variant.tolerance
        self.floor_loss = self._variant.half_width**2 / 6
        self.floor_error = (1 - self.tolerance / self._variant.half_width) ** 2

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 2) and `y` (B, 1) of batch `index`."""
        rng = generator(seed, stream, index)
        low, scale, offset = map(np.float32, self._variant.coefficients)
        values = low + (1 - low) * rng.random((batch_size, self.time_steps), dtype=np.float32)
        first, second = self._variant.marks(rng, self.time_steps, batch_size)
        rows = np.arange(batch_size)
        x = np.zeros((batch_size, self.time_steps, 2), dtype=np.float32)
        x[:, :, 0] = values
        x[rows, first, 1] = x[rows, second, 1] = 1
        y = offset + scale * (values[rows, first] + values[rows, second])
        return Batch(x, y[:, None])

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return the squared error of the mean of the targets on every sequence, (B,)."""
        low, scale, offset = self._variant.coefficients
        return np.square(batch.y[:, 0].astype(np.float64) - (offset + scale * (1 + low)))

    def proven_horizon(self, loss: float) -> float:
        """Return the steps that a predictor must have seen to have this loss, from 0 to T."""
        first, second = self._variant.places(self.time_steps)
        share = (unseen(first) + unseen(second)) / 2
        return shortest_window(self.floor_loss * share, loss)


@dataclass(frozen=True)
class _Variant:
    low: float
    scale: float
    offset: float
    tolerance: float
    """Largest absolute error that counts as right: the root where the criterion is on the square."""
    shortest: int
    windows: Callable[[int], Windows]
    """Of T. Where they overlap, the second mark is at another step than the first."""

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """`low`, `scale` and `offset`."""
        return self.low, self.scale, self.offset

    @property
    def half_width(self) -> float:
        """Half the range of the targets."""
        return self.scale * (1 - self.low)

    def marks(self, rng: np.random.Generator, time_steps: int, batch_size: int) -> Marks:
        """Draw the first and the second marked step of every sequence, (B,) each."""
        (start, stop), (start_2, stop_2) = self.windows(time_steps)
        first = rng.integers(start, stop, batch_size)
        if stop <= start_2:
            return first, rng.integers(start_2, stop_2, batch_size)
        other = rng.integers(start_2, stop_2 - 1, batch_size)
        # `other` counts the unmarked steps, so it skips the marked one.
        return first, other + (other >= first)

    def places(self, time_steps: int) -> Marks:
        """Return the probability of every step to be marked first, and second, (T,) each."""
        (start, stop), (start_2, stop_2) = self.windows(time_steps)
        first, second = window(time_steps, start, stop), window(time_steps, start_2, stop_2)
        if stop <= start_2:
            return first, second
        # The second is uniform over its window without the first mark.
        return first, np.where(second > 0, 1 - first, 0.0) / (stop_2 - start_2 - 1)


def _halves(time_steps: int) -> Windows:
    return (0, time_steps // 2), (time_steps // 2, time_steps)


def _tenth_and_half(time_steps: int) -> Windows:
    return (0, time_steps // 10), (time_steps // 10, time_steps // 2)


def _first_ten_and_half(time_steps: int) -> Windows:
    return (0, 10), (0, time_steps // 2)


_VARIANTS = {
    "sum": _Variant(low=0, scale=1, offset=0, tolerance=0.4, shortest=2, windows=_halves),
    "mean": _Variant(low=0, scale=0.5, offset=0, tolerance=0.2, shortest=10, windows=_tenth_and_half),
    "hochreiter": _Variant(
        low=-1, scale=0.25, offset=0.5, tolerance=0.04, shortest=10, windows=_first_ten_and_half
    ),
}
