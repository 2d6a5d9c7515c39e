"""The points of a run in `metrics.csv`, written many at once."""

import csv
import io
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rnnexp.tracking.records import Point, Record, records_in, taken

_MOST = 1000  # points that wait


class MetricsFile:
    """Holds finite points until there are 1000 of them or `seconds` have passed since the last writing.

    A point keeps the time at which it came. If writing fails, the points stay and are written again at the
    next occasion: MLflow keeps a record that comes twice (same key, step, value and time) once.

    Args:
        path: The file. Its last line is removed where a kill has broken it, and points up to the last step
            that their key has there are passed over.
        seconds: The longest wait, checked when points come.
        clock: Seconds on a clock that never runs backwards.
    """

    def __init__(self, path: Path, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic):
        self._path, self._seconds, self._clock = path, seconds, clock
        self._last: dict[str, int] = {}
        for record in records_in(_recovered(path)):
            self._last[record.key] = max(record.step, self._last.get(record.key, record.step))
        self._flushed_at = clock()
        self._waiting: list[Record] = []

    def add(self, points: Iterable[Point]) -> None:
        """Take `points`, and write if it is time."""
        fresh = [one for one in taken(points) if one.step > self._last.get(one.key, -math.inf)]
        self._waiting += fresh
        if len(self._waiting) >= _MOST or self._clock() - self._flushed_at >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Write everything that waits."""
        self._flushed_at = self._clock()
        # One write call: what a kill can leave is one broken last line, which `_recovered` removes.
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(self._waiting)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(lines.getvalue())
        self._waiting.clear()


def _recovered(path: Path) -> str:
    """Make the file end with a whole line, the header at least, and return its content."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1] or ",".join(Record._fields) + "\n"
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return whole
