"""The copying problem: recall a list of symbols after a delay."""

import math

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, misclassified, one_hot


class Copying(Task):
    """The copying problem (Hochreiter and Schmidhuber 1997, in the form of Arjovsky, Shah and Bengio 2016).

        x:  s_1 ... s_R   blank x (seq_len - 1)   delimiter   blank x R
        y:  blank x (R + seq_len)                             s_1 ... s_R

    with s_i uniform over `symbols` symbols and R = `recall`, so that T = `seq_len` + 2 R steps and the delay
    between a symbol and its recall is R + `seq_len`. `x` (B, T, F) is one-hot over F = `symbols` + 2 classes:
    the symbols, then the blank, then the delimiter. `y` (B, T) holds a class for every step. The delimiter is
    never a target, so there are O = `symbols` + 1 outputs, 9 by default. Layout and outputs are those of the
    authors' code (`memory_problem.py` in https://github.com/amarshah/complex_RNN), which counts the blank
    first; paper: https://arxiv.org/abs/1511.06464.

    A predictor without memory knows the step, hence every blank, and nothing about the symbols:

        floor_loss = R ln(symbols) / T  nats per step,    floor_error = 1 - symbols^(-R)

    A predictor of the last seq_len + R steps scores the same, since it no longer sees a symbol when it must
    recall it: a lower loss proves a memory of at least one step more.

    An error is a sequence of which any of the R recalled symbols is wrong. The criterion, under 1 % of 10,000
    fresh sequences wrong, is this project's application of that of Pascanu et al. 2013
    (https://arxiv.org/abs/1211.5063); the sources of the task compare losses and state none.

    Args:
        seq_len: Delay, in steps, at least 1.
        symbols: Number of symbols, at least 2.
        recall: R, the number of symbols to recall, at least 1.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    scores_every_step = True
    loss = "cross_entropy"
    loss_unit = "nats per step"
    criterion = 0.01
    any_length = True

    def __init__(self, seq_len: int, symbols: int = 8, recall: int = 10):
        self.seq_len = checks.integer("seq_len", seq_len, minimum=1)
        self.symbols = checks.integer("symbols", symbols, minimum=2)
        self.recall = checks.integer("recall", recall, minimum=1)
        self.time_steps = self.seq_len + 2 * self.recall
        self.input_size = self.symbols + 2
        self.output_size = self.symbols + 1
        self.floor_loss = self.recall * math.log(self.symbols) / self.time_steps
        self.floor_error = 1 - float(self.symbols) ** -self.recall

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, F) and `y` (B, T) of batch `index`."""
        listed = generator(seed, stream, index).integers(self.symbols, size=(batch_size, self.recall))
        blank, delimiter = self.symbols, self.symbols + 1
        x = np.full((batch_size, self.time_steps), blank, dtype=np.int32)
        y = x.copy()
        x[:, : self.recall] = y[:, -self.recall :] = listed
        x[:, self.recall + self.seq_len - 1] = delimiter
        return Batch(one_hot(x, self.input_size), y)

    def proven_horizon(self, loss: float) -> float:
        """Return seq_len + R + 1 for a loss under the floor, else 0; nan of nan."""
        if math.isnan(loss):
            return math.nan
        return float(self.seq_len + self.recall + 1) if loss < self.floor_loss else 0.0

    def errors(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return 1 where any recalled symbol is wrong in `prediction` (B, T, O), else 0."""
        recalled = slice(-self.recall, None)
        return misclassified(prediction[:, recalled], y[:, recalled]).max(axis=1).astype(np.float64)
