"""The progress of several replicas in one line."""

import math
import statistics
from collections.abc import Sequence

from rnnexp.report.terminal.progress import Progress


class Medians:
    """Shows the step of the replicas, and the medians of their losses and gradient norms.

    Args:
        progress: The display.
    """

    def __init__(self, progress: Progress):
        self.shown_in = progress
        self._latest: dict[int, tuple[int, float, float]] = {}

    def of(self, place: int) -> Progress:
        """Return the progress for replica number `place`."""
        return _ReplicaProgress(self, place)

    def take(self, place: int, step: int, loss: float, gradient_norm: float) -> None:
        """Store the latest values of replica number `place`, without showing them."""
        self._latest[place] = (step, loss, gradient_norm)

    def show(self) -> None:
        """Show the latest values, if there are new ones; called after all replicas have stored theirs."""
        latest, self._latest = list(self._latest.values()), {}
        if not latest:
            return
        # Diverged replicas are left out, unless all have diverged.
        latest = [values for values in latest if all(map(math.isfinite, values))] or latest
        step = max(values[0] for values in latest)
        _, losses, norms = zip(*(values for values in latest if values[0] == step), strict=True)
        self.shown_in.update(step, statistics.median(losses), statistics.median(norms))


class _ReplicaProgress:
    """The progress of one replica, which `Medians` combines with the others."""

    def __init__(self, medians: Medians, place: int):
        self._medians, self._place = medians, place

    def update(self, step: int, loss: float, gradient_norm: float) -> None:
        self._medians.take(self._place, step, loss, gradient_norm)

    def profile(self, log_norms: Sequence[float]) -> None:
        if self._place == 0:  # one picture, of the first seed
            self._medians.shown_in.profile(log_norms)

    def say(self, text: str) -> None:
        self._medians.shown_in.say(text)
