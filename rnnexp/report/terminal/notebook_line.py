"""How far a training is, on one line of a notebook that is written over."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rnnexp.report.terminal import numbers

_INTERVAL = 0.5  # seconds


class Overwritten:
    """One line below a cell of a notebook, which each text takes the place of."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Show `text` in place of the one before."""
        from IPython.display import display  # is imported: this process belongs to a notebook

        data = {"text/plain": text}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


class NotebookLine:
    """The progress of a training as one line.

    Args:
        total: Steps at the end of training.
        start: Steps that were done before.
        of: Whose loss and gradient are shown.
        clock: Seconds.
    """

    def __init__(self, total: int, start: int, of: str, clock: Callable[[], float] = time.monotonic):
        self._total, self._start, self._of, self._clock = total, start, of, clock
        self._line, self._began, self._shown = Overwritten(), clock(), float("-inf")

    def update(self, step: int, loss: float, gradient_norm: float) -> None:
        """Show that `step` steps are done, twice a second at most, and the last one."""
        now = self._clock()
        if step < self._total and now - self._shown < _INTERVAL:
            return
        self._shown = now
        speed = (step - self._start) / (now - self._began) if now > self._began else None
        left = numbers.duration((self._total - step) / speed) if speed else "-"
        parts = [
            f"step {step:,}/{self._total:,}",
            f"{self._of}loss {numbers.loss(loss)}",
            f"grad {numbers.norm(gradient_norm)}",
            f"{numbers.speed(speed)} steps/s",
            f"{left} left" if step < self._total else f"in {numbers.duration(now - self._began)}",
        ]
        self._line.show("  ".join(parts))

    def profile(self, log_norms: Sequence[float]) -> None:
        """One line has no room for a profile."""

    def say(self, text: str) -> None:
        """Print a line that stays."""
        print(text)
