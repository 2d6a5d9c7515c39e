"""The progress of several replicas in one line."""

import math
import statistics
from collections.abc import Sequence

from rnnexp.report.terminal.progress import Progress


class Medians:
    """Shows the step of those under way, and the medians of their losses and gradient norms.

    Args:
        progress: Where it is shown.
    """

    def __init__(self, progress: Progress):
        self.shown_in = progress
        self._latest: dict[int, tuple[int, float, float]] = {}
        self._changed = False

    def of(self, place: int) -> Progress:
        """Return where the replica at `place` tells how far it is."""
        return _Share(self, place)

    def take(self, place: int, step: int, loss: float, gradient_norm: float) -> None:
        """Take what the replica at `place` tells; nothing is shown yet."""
        self._latest[place] = (step, loss, gradient_norm)
        self._changed = True

    def show(self) -> None:
        """Show what was told since the last time, when all were asked."""
        if not self._changed:
            return
        self._changed = False
        told = list(self._latest.values())
        # One that diverged tells no more; where all did, that is what there is to show.
        told = [values for values in told if all(map(math.isfinite, values))] or told
        step = max(values[0] for values in told)
        _, losses, norms = zip(*(values for values in told if values[0] == step), strict=True)
        self.shown_in.update(step, statistics.median(losses), statistics.median(norms))


class _Share:
    """The part of one replica."""

    def __init__(self, medians: Medians, place: int):
        self._medians, self._place = medians, place

    def update(self, step: int, loss: float, gradient_norm: float) -> None:
        self._medians.take(self._place, step, loss, gradient_norm)

    def profile(self, log_norms: Sequence[float]) -> None:
        if self._place == 0:  # one picture, of the first seed
            self._medians.shown_in.profile(log_norms)

    def say(self, text: str) -> None:
        self._medians.shown_in.say(text)
