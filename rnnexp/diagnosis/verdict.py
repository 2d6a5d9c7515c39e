"""From measurements to one word: what the gradient does over time, and whether the network learns."""

import dataclasses
import math
from typing import Literal

from rnnexp.runtime.checks import ArgumentError, boolean, non_negative, positive

GradientVerdict = Literal["vanishing", "exploding", "stable", "borderline", "non_finite", "not_measured"]
LearningVerdict = Literal["solved", "learning", "at_chance", "diverged"]


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
    """

    loss: float
    half_width: float
    error: float
    enough: bool

    def __post_init__(self):
        """Check the fields that have a domain; loss and error may be non-finite."""
        boolean("enough", self.enough)
        if self.half_width < 0:
            raise ArgumentError("half_width", "a number of at least 0", self.half_width)


def learning_verdict(
    validation: Validation, floor_loss: float, criterion: float | None, diverged: bool = False
) -> LearningVerdict:
    """Judge a network against its task's analytic floor and published criterion.

    The first line that holds:

        diverged    training diverged, or the validation loss or error is not finite
        solved      error < criterion, on enough sequences
        at_chance   loss + half_width >= floor_loss: not told apart from the best constant predictor
        learning    otherwise

    Args:
        validation: The scores.
        floor_loss: Loss of the best constant predictor.
        criterion: Error under which the task counts as solved; None where none is published, so that the task
            is never solved.
        diverged: Whether training met a non-finite number.

    Raises:
        ArgumentError: `floor_loss` or `criterion` is not a finite number of at least 0.

    >>> learning_verdict(Validation(0.02, 0.001, error=0.3, enough=True), floor_loss=1 / 6, criterion=0.01)
    'learning'
    """
    floor_loss = non_negative("floor_loss", floor_loss)
    target = 0.0 if criterion is None else non_negative("criterion", criterion)
    finite = math.isfinite(validation.loss) and math.isfinite(validation.error)
    if boolean("diverged", diverged) or not finite:
        return "diverged"
    if validation.enough and validation.error < target:
        return "solved"
    # Asked this way round, a half-width of nan is not a licence for `learning`.
    return "learning" if validation.loss + validation.half_width < floor_loss else "at_chance"
