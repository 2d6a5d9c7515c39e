"""Points that wait to be written: many at once cost a fortieth of one at a time."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rnnexp.tracking.tracker import Point

BATCH = 1000
"""Most points that MLflow takes at once."""


class Record(NamedTuple):
    """A point and when it was taken, in milliseconds since 1970."""

    key: str
    value: float
    step: int
    timestamp: int


class Buffer:
    """Holds finite points until there are `BATCH` of them or `seconds` have passed since the last writing.

    A point keeps the time at which it came. If writing fails, the batch stays and is written again at the
    next occasion: MLflow keeps a record that comes twice (same key, step, value and time) once.

    Args:
        send: Writes a batch of 1 to `BATCH` records.
        written: The last step that each key has from an earlier attempt; points up to it are passed over.
        seconds: The longest wait, checked when points come.
        clock: Seconds on a clock that never runs backwards.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Record]], None],
        written: Mapping[str, int] | None = None,
        seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.dropped = 0
        self._send = send
        self._written = dict(written or {})
        self._last = dict(self._written)
        self._seconds = seconds
        self._clock = clock
        self._flushed_at = clock()
        self._waiting: list[Record] = []

    def add(self, points: Iterable[Point]) -> None:
        """Take `points`, and write if it is time."""
        now = time.time_ns() // 1_000_000
        for key, value, step in points:
            self._take(Record(key, float(value), int(step), now))
        if len(self._waiting) >= BATCH or self._clock() - self._flushed_at >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Write everything that waits."""
        self._flushed_at = self._clock()
        while self._waiting:
            batch = self._waiting[:BATCH]
            self._send(batch)
            del self._waiting[: len(batch)]

    def last_step(self, key: str) -> int | None:
        """Return the largest step taken under `key`."""
        return self._last.get(key)

    def _take(self, record: Record) -> None:
        if not math.isfinite(record.value):
            self.dropped += 1
        elif record.step > self._written.get(record.key, -math.inf):
            self._waiting.append(record)
            self._last[record.key] = max(record.step, self._last.get(record.key, record.step))
