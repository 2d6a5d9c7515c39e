"""SIGINT, SIGTERM and SIGHUP as one exception, at once or where the work that is under way can stop."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Killed(BaseException):
    """Signal `number` stops the run. It is not an `Exception`, so that no `except Exception` catches it."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """128 + signal number, as a shell reports it."""
        return 128 + self.number


class Interruption:
    """Turns signals into `Killed`: at once, or at `check()` while deferred.

    A second signal while the first one is still deferred is raised at once.
    """

    def __init__(self) -> None:
        self._deferred = False
        self._received: int | None = None
        self._waits = False

    @property
    def pending(self) -> bool:
        """Whether a signal has come."""
        return self._received is not None

    def check(self) -> None:
        """Raise `Killed` if a signal has come, even if `Killed` was raised before and caught."""
        if self._received is not None:
            self._raise(self._received)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer signals until `check()`, so that the operations inside are not interrupted."""
        with self._set(deferred=True):
            yield

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Raise signals at once again, inside a `deferred` block; a deferred one is raised first."""
        with self._set(deferred=False):
            self.check()
            yield

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Raise `Killed` in the place of an exception that comes after a signal, from which it follows.

        Compiled code into which a signal's `Killed` is raised may make another exception of it.
        """
        try:
            yield
        except Exception as error:
            if self._received is None:
                raise
            raise Killed(self._received) from error

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal."""
        self._received = number
        if self._waits or not self._deferred:
            self._raise(number)
        self._waits = True

    @contextlib.contextmanager
    def _set(self, deferred: bool) -> Iterator[None]:
        before, self._deferred = self._deferred, deferred
        try:
            yield
        finally:
            self._deferred = before

    def _raise(self, number: int) -> None:
        self._waits = False
        raise Killed(number)


@contextlib.contextmanager
def handled(receive: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `receive` handle the signals that ask a command to stop, and the former handlers those afterwards.

    These are SIGINT, SIGTERM and SIGHUP, a closed terminal, unless nohup ignores it. Python allows only the
    main thread to handle signals; in another thread this does nothing.
    """
    found = {}
    if threading.current_thread() is threading.main_thread():
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]
        found = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruption() -> Iterator[Interruption]:
    """Turn signals inside into `Killed` (see `Interruption`)."""
    catcher = Interruption()
    with handled(catcher.receive), catcher.told():
        yield catcher
