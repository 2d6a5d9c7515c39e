"""Seconds by part of a program that is run unchanged: functions of it are wrapped from outside."""

import collections
import functools
import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Adds up the time inside functions, by the part that each belongs to.

    What runs inside a function of another part counts for the inner part alone, so parts add up.

    Attributes:
        seconds: Part -> seconds of wall-clock time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self.seconds: dict[str, float] = collections.defaultdict(float)
        self._clock = clock
        self._inner: list[float] = []

    def watch(self, owner: Any, part: str, *names: str) -> None:
        """Time the functions `names` of a module or class as `part`."""
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name), part))

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = self._clock()
            self._inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                taken = self._clock() - started
                self.seconds[part] += taken - self._inner.pop()
                if self._inner:
                    self._inner[-1] += taken

        return timed
