"""SIGINT and SIGTERM as one exception, or as a request where training has to finish its step first."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Killed(BaseException):
    """The run was told to stop by signal `number`. Not an `Exception`: nothing on the way may swallow it."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """128 + signal number, as a shell reports it."""
        return 128 + self.number


class Interruption:
    """Turns signals into `Killed`: at once, or at `check()` while deferred. A second signal never waits."""

    def __init__(self) -> None:
        self._deferred = False
        self._received: int | None = None

    def check(self) -> None:
        """Raise `Killed` if a signal came while deferred."""
        if self._received is not None:
            raise Killed(self._received)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Hold signals back until `check()`, so that weights and optimizer are of one and the same step."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal."""
        again, self._received = self._received is not None, number
        if again or not self._deferred:
            raise Killed(number)


@contextlib.contextmanager
def interruption() -> Iterator[Interruption]:
    """Handle SIGINT and SIGTERM inside; the handlers found are put back."""
    catcher = Interruption()
    numbers = (signal.SIGINT, signal.SIGTERM)
    found = [signal.signal(number, catcher.receive) for number in numbers]
    try:
        yield catcher
    finally:
        for number, handler in zip(numbers, found, strict=True):
            signal.signal(number, handler)
