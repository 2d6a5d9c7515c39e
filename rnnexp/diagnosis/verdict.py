"""From measurements to one word: what the gradient does over time, and whether the network learns."""

import dataclasses
import math
from typing import Literal

import numpy as np

from rnnexp.runtime.checks import ArgumentError, boolean, non_negative, positive
from rnnexp.runtime.mean_intervals import mean_interval

GradientVerdict = Literal["vanishing", "exploding", "stable", "borderline", "non_finite", "not_measured"]
LearningVerdict = Literal["solved", "learning", "at_chance", "worse_than_chance", "diverged"]

_HARDLY = 1.05  # of the floor: optimizers hover a little above it


def gradient_verdict(
    ratio_low: float, ratio_high: float, nonfinite_share: float, decades: float
) -> GradientVerdict:
    """Judge the 95 % interval of the typical log10 ||dl/dh_1|| / ||dl/dh_T|| against D = `decades`.

    The first line that holds:

        non_finite   any gradient is +inf or nan
        not_measured an end of the interval is nan: a window of one step, or a state that nothing reads
        vanishing    high < -D   (-inf, nothing reaches h_1, is below)
        exploding    low > D
        stable       -D <= low and high <= D
        borderline   the interval straddles -D or D

    Args:
        ratio_low: Lower end of the interval, decades.
        ratio_high: Upper end of the interval, decades.
        nonfinite_share: Share of gradients that are +inf or nan.
        decades: D.

    Raises:
        ArgumentError: `decades` is not above 0, `nonfinite_share` is negative or nan, or the interval's ends
            are in the wrong order.

    >>> gradient_verdict(-6.2, -5.8, nonfinite_share=0.0, decades=3)
    'vanishing'
    """
    decades = positive("decades", decades)
    if non_negative("nonfinite_share", nonfinite_share) > 0:
        return "non_finite"
    if math.isnan(ratio_low) or math.isnan(ratio_high):
        return "not_measured"
    if ratio_low > ratio_high:
        raise ArgumentError("ratio_low", f"at most ratio_high = {ratio_high!r}", ratio_low)
    if ratio_high < -decades:
        return "vanishing"
    if ratio_low > decades:
        return "exploding"
    return "stable" if -decades <= ratio_low and ratio_high <= decades else "borderline"


@dataclasses.dataclass(frozen=True)
class Validation:
    """What a network scored on held-out sequences. A non-finite loss or error means that it diverged.

    Attributes:
        loss: Mean loss of a sequence, in the unit of the task's floor.
        half_width: Half of the 95 % interval of `loss`; inf where it is unknown.
        error: Share of wrong sequences, in [0, 1].
        enough: Whether the sequences suffice for the verdict solved: 10,000 fresh ones, or the whole held-out
            set of a finite data set.
        below: By how much the baseline's mean loss on the same sequences is higher, in the same unit.
        below_half_width: Half of the 95 % interval of `below`.
    """

    loss: float
    half_width: float
    error: float
    enough: bool
    below: float
    below_half_width: float

    def __post_init__(self):
        """Check the fields that have a domain; loss and error may be non-finite."""
        boolean("enough", self.enough)
        for name in ("half_width", "below_half_width"):
            if getattr(self, name) < 0:
                raise ArgumentError(name, "a number of at least 0", getattr(self, name))

    @classmethod
    def of(cls, losses: np.ndarray, baseline: np.ndarray, errors: np.ndarray, enough: bool) -> "Validation":
        """Return the scores of sequences: their losses, those of the baseline, their errors, all (n,).

        The two losses of a sequence are compared with each other, a paired test: what makes a sequence hard
        for both adds nothing to the interval of the difference.
        """
        losses = np.asarray(losses, np.float64)
        return cls(*mean_interval(losses), float(np.mean(errors)), enough, *mean_interval(baseline - losses))

    def highest_loss(self, floor_loss: float) -> float:
        """Return the upper end of the loss's 95 % interval, by way of the baseline where that is sharper.

        Args:
            floor_loss: The baseline's mean loss over all sequences that there could be.
        """
        if self.below_half_width < self.half_width:
            return floor_loss - self.below + self.below_half_width
        return self.loss + self.half_width


def is_under(error: float, criterion: float | None) -> bool:
    """Return whether the error is under the criterion; never where there is none, nor of nan.

    Raises:
        ArgumentError: `criterion` is not a finite number of at least 0.
    """
    return criterion is not None and error < non_negative("criterion", criterion)


def solves(validation: Validation, criterion: float | None) -> bool:
    """Return whether a task is solved: error < criterion, on enough sequences, with a finite loss.

    Raises:
        ArgumentError: `criterion` is not a finite number of at least 0.
    """
    under = is_under(validation.error, criterion)
    return under and validation.enough and math.isfinite(validation.loss)


def learning_verdict(
    validation: Validation, floor_loss: float, criterion: float | None, diverged: bool = False
) -> LearningVerdict:
    """Judge a network against its task's baseline, analytic floor and criterion.

    The first line that holds:

        diverged            training diverged, or the validation loss or error is not finite
        solved              error < criterion, on enough sequences
        learning            below - below_half_width > 0: better than the baseline, sequence by sequence
        worse_than_chance   loss - half_width > 1.05 floor_loss
        at_chance           otherwise: not told apart from the baseline, or hardly worse

    Args:
        validation: The scores.
        floor_loss: Loss of the best constant predictor.
        criterion: Error under which the task counts as solved; None: the task is never solved.
        diverged: Whether training met a non-finite number.

    Raises:
        ArgumentError: `floor_loss` or `criterion` is not a finite number of at least 0.

    >>> score = Validation(0.02, 0.001, error=0.3, enough=True, below=0.147, below_half_width=0.002)
    >>> learning_verdict(score, floor_loss=1 / 6, criterion=0.01)
    'learning'
    """
    floor_loss = non_negative("floor_loss", floor_loss)
    solved = solves(validation, criterion)
    finite = math.isfinite(validation.loss) and math.isfinite(validation.error)
    if boolean("diverged", diverged) or not finite:
        return "diverged"
    if solved:
        return "solved"
    # This comparison is false if the half-width is nan, so that nan never means `learning`.
    if validation.below - validation.below_half_width > 0:
        return "learning"
    worse = validation.loss - validation.half_width > _HARDLY * floor_loss
    return "worse_than_chance" if worse else "at_chance"
