"""Signals that come at a moment that a test chooses."""

import signal

from rnnexp.runtime.signals import Interruption


class SignalAt(Interruption):
    """A SIGTERM that comes before the `count`-th time that somebody asks whether one came."""

    def __init__(self, count: int):
        super().__init__()
        self._count = count

    def check(self) -> None:
        self._count -= 1
        if self._count == 0:
            self.receive(signal.SIGTERM)
        super().check()
