"""What every task is: sequences from a counter, a loss, an error criterion and an analytic floor."""

import abc
import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from rnnexp.runtime import checks

VALIDATION_SEQUENCES = 10_000
"""Fresh sequences that the published criteria are judged on (Pascanu et al. 2013, section 4)."""

Stream = Literal["train", "validation", "probe"]


class Batch(NamedTuple):
    """Inputs `x` (B, T, F) float32 and targets `y`.

    `y` is float32 (B, O) for a squared error; int32 (B,) for classes at the last step,
    or int32 (B, T) for classes at every step.
    """

    x: np.ndarray
    y: np.ndarray


Predict = Callable[[np.ndarray], np.ndarray]
"""A trained network: x (B, T, F) -> the readout's outputs (B, O), or (B, T, O)."""


class Report(NamedTuple):
    """The report of a task on a trained network, beside loss and error.

    Attributes:
        sentences: Complete sentences for the summary.
        metrics: Numbers by their metric keys; nan, such as the spread of one sequence, is not recorded.
        arrays: The data of the sentences and the figure, saved in `task.npz`.
        figure: The module of `rnnexp.plotting` that draws them; None: no figure.
    """

    sentences: tuple[str, ...]
    metrics: Mapping[str, float]
    arrays: Mapping[str, np.ndarray]
    figure: str | None = None


class Task(abc.ABC):
    """A supervised task over sequences.

    Attributes:
        seq_len: The length that the user asked for (what it counts is the task's own definition).
        time_steps: T, the time steps of an input sequence.
        input_size: F, the input features a step.
        output_size: O, the outputs of the readout.
        scores_every_step: Whether there is a target at every step (else at the last one only).
        loss: `"squared_error"`, or `"cross_entropy"` over logits; the mean over scored steps and samples.
        loss_unit: What one unit of the loss is, for axes and tables.
        floor_loss: Loss of the best constant predictor, in `loss_unit`. Constant means that it never looks at
            the input; where the layout of the targets is fixed in time (copying) it may know the step.
        floor_error: Error of that predictor, a share in [0, 1].
        tolerance: Largest absolute error of a value that counts as right.
        criterion: The error under which the task counts as solved, or None where there is none.
        criterion_published: Whether a publication judges this form of the task by that criterion.
        published_sequences: After how many training sequences a publication reports success at this length;
            None where none does.
        baseline: The predictor of `baseline_losses`, in a few words.
        any_length: Whether the same network may be asked at any length: sequences are made, and one of
            another length is the same question. The configuration then takes `length` and `evaluate_at`.
    """

    scores_every_step: ClassVar[bool] = False
    loss: ClassVar[Literal["squared_error", "cross_entropy"]]
    loss_unit: ClassVar[str]
    tolerance: float = 0.0
    criterion: ClassVar[float | None]
    criterion_published: bool = False
    published_sequences: int | None = None
    baseline: ClassVar[str] = "best constant"
    any_length: ClassVar[bool] = False

    seq_len: int
    time_steps: int
    input_size: int
    output_size: int
    floor_loss: float
    floor_error: float

    @abc.abstractmethod
    def __init__(self, seq_len: int):
        """Build the task from its length alone: every further argument has a default."""

    @abc.abstractmethod
    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return batch `index` of `stream` under `seed`: the same bytes whatever was drawn before."""

    def errors(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the error of every sequence, (B,), each in [0, 1], from the readout's outputs.

        By default it is the share of its targets that are wrong: of classes, where the largest logit is that
        of another class; of values, where they are missed by more than `tolerance`.

        Args:
            prediction: (B, O), or (B, T, O) where every step is scored. What is not a number is wrong.
            y: The targets, as in a `Batch`.
        """
        if self.loss == "cross_entropy":
            wrong = misclassified(prediction, y)
        else:
            wrong = ~(np.abs(prediction - y) <= self.tolerance)  # a comparison that is false for nan
        return wrong.reshape(len(y), -1).mean(axis=1)

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return the loss that the baseline has on every sequence, (B,), in `loss_unit`.

        Learning is the difference from it, sequence by sequence, so that the difficulty of a sequence
        cancels. The default is `floor_loss` for all sequences.
        """
        return np.full(len(batch.x), self.floor_loss)

    def proven_horizon(self, loss: float) -> float:
        """Return the least k such that a predictor of the last k steps can have this loss.

        A network with a lower mean loss than any predictor of the last k steps has used earlier steps. k is
        a lower bound between 0 and T, and counts the step of the prediction. nan if no bound is known, or if
        `loss` is nan.
        """
        return math.nan

    def validation(self, seed: int, batch_size: int) -> Iterator[Batch]:
        """Yield at least `VALIDATION_SEQUENCES` fresh sequences, in batches of `batch_size`.

        A task over a finite data set yields its held-out part instead, once.
        """
        for index in range(-(-VALIDATION_SEQUENCES // batch_size)):
            yield self.batch(seed, "validation", index, batch_size)

    def report(self, predict: Predict) -> Report | None:
        """Return a report on the trained network `predict`, or None if loss and error say everything."""
        return None


def one_hot(classes: np.ndarray, size: int) -> np.ndarray:
    """Return the float32 array (..., size) that is 1 at the class and 0 elsewhere.

    >>> one_hot(np.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return np.take(np.eye(size, dtype=np.float32), classes, axis=0)


def misclassified(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return whether the largest of the logits (..., O) is not that of class `y` (...).

    Logits with a nan are wrong: argmax alone would call them class 0, and so count a diverged
    network right once in O times.
    """
    return (logits.argmax(axis=-1) != y) | np.isnan(logits.max(axis=-1))


def class_floor(counts: np.ndarray) -> tuple[float, float]:
    """Return loss and error of the best constant predictor of classes that occur `counts` (O,) times.

        loss = -sum_k p_k ln p_k  nats,   error = 1 - max_k p_k,   p = counts / sum(counts)

    Cross-entropy is least where the predicted probabilities are the shares p, and is then their entropy.

    >>> class_floor(np.array([5, 5, 0]))
    (0.6931471805599453, 0.5)
    """
    shares = counts[counts > 0] / counts.sum()
    return -math.fsum(shares * np.log(shares)), float(1 - shares.max())


def shortest_window(floors: np.ndarray, loss: float) -> float:
    """Return the least k at which the loss of a predictor of the last k steps can be as low as `loss`.

    Args:
        floors: The least loss of a predictor of the last k steps, k = 0 ... T, falling, linear in between.
        loss: Of a network.

    >>> shortest_window(np.array([1.0, 1.0, 0.5, 0.0]), 0.75)
    1.5
    """
    if math.isnan(loss):
        return math.nan
    reached = np.flatnonzero(floors <= loss * (1 + 1e-12))  # of a floor that was rounded
    if reached.size == 0:
        return float(len(floors) - 1)
    k = int(reached[0])
    if k == 0:
        return 0.0
    return k - 1 + float((floors[k - 1] - loss) / (floors[k - 1] - floors[k]))


def unseen(places: np.ndarray) -> np.ndarray:
    """Return the probability that a signal lies before the last k steps, k = 0 ... T, (T + 1,).

    Args:
        places: The probability of every step to hold the signal, (T,).

    >>> unseen(np.array([0.5, 0.5, 0.0])).tolist()
    [1.0, 1.0, 0.5, 0.0]
    """
    return np.concatenate([[0.0], np.cumsum(places)])[::-1]


def window(time_steps: int, start: int, stop: int) -> np.ndarray:
    """Return the probability of every step, (T,), where all from `start` to `stop` - 1 are equally likely."""
    places = np.arange(time_steps)
    return ((start <= places) & (places < stop)) / (stop - start)


def held_out_share(value: object) -> float:
    """Return `value` as a float if it is a share that leaves data on both sides of a split.

    Raises:
        ArgumentError: It is not a number in [0.01, 0.99].
    """
    share = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    if not 0.01 <= share <= 0.99:
        raise checks.ArgumentError("held_out", "a number in [0.01, 0.99]", value)
    return share
