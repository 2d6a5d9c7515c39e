"""The temporal order problem: in which order did two or three signals come?"""

import math
import numbers

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, one_hot, shortest_window, unseen, window

_STARTS = {2: (10, 50), 3: (10, 33, 66)}
"""Where the window of each signal starts, in hundredths of the length; every window is a tenth of it wide."""

_PASCANU_2013 = 5_600_000
"""Training sequences after which one tanh network, clipped and regularised, had learned lengths of 50 to 200:
280,000 updates of 20, in the log of the authors' code."""

_NOISE = (2, 6)
"""The noise symbols c, d, e, f; 0 and 1 are the signals."""


class TemporalOrder(Task):
    """The temporal order problem (Hochreiter and Schmidhuber 1997, experiment 6; Pascanu et al. 2013).

        y = sum_i s_i 2^(signals - i),    s_i in {0, 1} shown at step t_i, i = 1 .. signals

    T = `seq_len` symbols, one-hot over 6: two that signal and four of noise. The signal s_i stands at a step
    t_i uniform over a window of T/10 steps; all other steps hold noise. Windows start at .1 T and .5 T (6a),
    or at .1 T, .33 T and .66 T (6b). `x` is (B, T, 6), `y` (B,) the class to predict at the last step: a
    binary number read in the order of time (XX, XY, YX, YY for two signals).

    This is the form of Pascanu, Mikolov and Bengio 2013 (https://arxiv.org/abs/1211.5063), without the start
    and trigger symbols and the random length of 1997 (https://doi.org/10.1162/neco.1997.9.8.1735). Their code
    starts the windows of three signals at .1 T, .3 T and .6 T; those here are of 1997.

    The classes are equally likely:

        floor_loss = signals ln 2  nats,    floor_error = 1 - 2^(-signals)

    A network that knows one of two signals scores ln 2 and 50 %. A predictor of the last k steps has a loss
    of at least ln 2 sum_i P_i(k), P_i(k) the probability that signal i came before: of two signals ln 4 until
    k = .4 T, ln 2 at .5 T, and 0 not before .9 T. Criterion: under 1 % of 10,000 fresh sequences wrong
    (Pascanu et al. 2013, section 4).

    Args:
        seq_len: T, at least 10, so that every window holds a step.
        signals: 2 or 3.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    loss = "cross_entropy"
    loss_unit = "nats"
    criterion = 0.01
    any_length = True
    criterion_published = True

    input_size = 6

    def __init__(self, seq_len: int, signals: int = 2):
        if not isinstance(signals, numbers.Integral) or signals not in _STARTS:
            raise checks.ArgumentError("signals", "2 or 3", signals)
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=10)
        self.signals: int = int(signals)
        self.output_size = 2**self.signals
        self.published_sequences = (
            _PASCANU_2013 if self.signals == 2 and 50 <= self.time_steps <= 200 else None
        )
        self.floor_loss = self.signals * math.log(2)
        self.floor_error = 1 - 2.0**-self.signals

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 6) and `y` (B,) of batch `index`."""
        rng = generator(seed, stream, index)
        size = (batch_size, self.signals)
        starts = np.array([self.time_steps * start // 100 for start in _STARTS[self.signals]])
        places = starts + rng.integers(self.time_steps // 10, size=size)
        shown = rng.integers(2, size=size, dtype=np.int8)
        x = rng.integers(*_NOISE, size=(batch_size, self.time_steps), dtype=np.int8)
        np.put_along_axis(x, places, shown, axis=1)
        powers = 2 ** np.arange(self.signals, dtype=np.int32)[::-1]
        return Batch(one_hot(x, self.input_size), shown @ powers)

    def proven_horizon(self, loss: float) -> float:
        """Return the steps that a predictor must have seen to have this loss, from 0 to T."""
        starts = [self.time_steps * start // 100 for start in _STARTS[self.signals]]
        places = [window(self.time_steps, start, start + self.time_steps // 10) for start in starts]
        return shortest_window(math.log(2) * np.sum([unseen(each) for each in places], axis=0), loss)
