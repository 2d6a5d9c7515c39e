"""The course of a training run: spikes of the gradient, and whether the loss still falls at the end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnexp.runtime.mean_intervals import mean_interval

SPIKE = 100.0  # a spike has a norm of more than this many medians
_WRECK = 10.0  # a loss of more than this many floors is wrecked
_PARTS = 5  # the end of a training run is its last fifth
_START = 10  # training steps whose weights are still about those drawn
_FEW = 8  # training steps of an end, below which no slope is estimated


class Spike(NamedTuple):
    """The largest gradient of a training run, if it is far beyond the usual ones.

    Attributes:
        step: The training step.
        norm: The global norm of its gradient before clipping; inf or nan where it was not finite.
        usual: The median norm of the steps before it.
        wrecked: Whether the training loss rose beyond ten floors.
    """

    step: int
    norm: float
    usual: float
    wrecked: bool


class Fall(NamedTuple):
    """How the loss changed over the last fifth of a training.

    Attributes:
        share: Mean loss of its second half less that of its first half, over the latter; negative: it fell.
        half_width: Half of the 95 % interval of `share`.
        train_steps: Training steps from the middle of the first half to that of the second.
    """

    share: float
    half_width: float
    train_steps: float

    @property
    def falling(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.share + self.half_width < 0


@dataclass(frozen=True, eq=False)
class Course:
    """The record of a training run, one entry for each recorded step.

    Attributes:
        train_steps: The training steps, (N,).
        losses: Training loss, (N,).
        norms: Global norm of the gradient before clipping, (N,).
        floor_loss: Loss of the best constant predictor.
        below: The baseline's loss minus the network's at every validation, in the order of steps, (M,).
    """

    train_steps: np.ndarray
    losses: np.ndarray
    norms: np.ndarray
    floor_loss: float
    below: Sequence[float] = ()

    @property
    def best_is_last(self) -> bool:
        """Whether the last validation is better than every other, relative to the baseline."""
        return len(self.below) > 0 and self.below[-1] >= max(self.below)

    @property
    def usual_norm(self) -> float:
        """The median of all norms; nan if there are none."""
        return float(np.median(self._norms)) if len(self.norms) else math.nan

    @property
    def spikes(self) -> int:
        """Recorded steps with a norm of more than 100 medians."""
        return int(np.sum(self._norms > SPIKE * self.usual_norm)) if len(self.norms) else 0

    @property
    def _norms(self) -> np.ndarray:
        return np.where(np.isnan(self.norms), np.inf, self.norms)

    def spike(self) -> Spike | None:
        """Return the spike, if there is one.

        A norm of more than 100 medians of all norms and of those before it, a loss that then rises beyond ten
        floors and ten times its median before, or a number that is not finite after at least one step. The
        step is that of the largest norm.
        """
        norms = self._norms
        place = int(norms.argmax()) if len(norms) else 0
        if place == 0:
            return None
        losses, usual = np.where(np.isnan(self.losses), np.inf, self.losses), float(np.median(norms[:place]))
        wreck = _WRECK * max(self.floor_loss, float(np.median(losses[:place])))
        wrecked = bool(losses[place:].max() > wreck)
        if not (norms[place] > SPIKE * max(self.usual_norm, usual) or wrecked):
            return None
        return Spike(int(self.train_steps[place]), float(self.norms[place]), usual, wrecked)

    def large_start(self) -> float | None:
        """Return the largest norm of the first ten steps where it is beyond 100 medians of all norms."""
        norms = self._norms[:_START]
        largest = float(norms.max()) if len(norms) else 0.0
        return largest if SPIKE * self.usual_norm < largest < math.inf else None

    def fall(self) -> Fall | None:
        """Return how the loss changed over the last fifth; None if it is too short or not finite.

        Every step has fresh sequences, so the training losses of the two halves of the last fifth are
        independent, and Welch's interval holds for the difference of their means.
        """
        last = self.losses[-(len(self.losses) // _PARTS) :]
        if len(self.losses) < _PARTS * _FEW or not np.isfinite(last).all():
            return None
        before, after = last[: len(last) // 2], last[len(last) // 2 :]
        (first, first_half), (second, second_half) = mean_interval(before), mean_interval(after)
        if first <= 0:
            return None
        apart = float(self.train_steps[-1] - self.train_steps[-len(last)]) / 2
        return Fall((second - first) / first, math.hypot(first_half, second_half) / first, apart)

    def steps_to(self, loss: float, most: float) -> int | None:
        """Extrapolate at which step the training loss reaches `loss`; None if it does not fall any more.

        The logarithm of the loss is taken to go on in a line; at least twice the steps so far. None where it
        does not fall, or takes more than `most` times as many.
        """
        fall = self.fall()
        if fall is None or not fall.falling:
            return None
        taken = int(self.train_steps[-1]) + 1
        last = float(np.mean(self.losses[-max(len(self.losses) // (2 * _PARTS), 1) :]))
        rate = -math.log1p(max(fall.share, -0.999)) / fall.train_steps
        needed = taken + max(math.log(last / loss), 0.0) / rate if loss > 0 else math.inf
        return rounded_up(max(needed, 2.0 * taken)) if needed <= most * taken else None


def rounded_up(train_steps: float) -> int:
    """Return a number of steps rounded up to one digit.

    >>> rounded_up(1234.0), rounded_up(5000.0)
    (2000, 5000)
    """
    digit = 10 ** math.floor(math.log10(train_steps)) if train_steps >= 1 else 1
    return math.ceil(train_steps / digit - 1e-9) * digit


def threshold_of(spike: Spike) -> float:
    """Return a clip threshold from the norms before a spike: their median, rounded to one digit.

    Under Adam a threshold of the usual size keeps the usual steps and takes the size away from rare ones.
    """
    if not 0 < spike.usual < math.inf:
        return 1.0
    return float(f"{spike.usual:.0e}")
