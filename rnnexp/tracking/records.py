"""What the records of a run are: its status, its points, and the files of its folder that hold them."""

import csv
import io
import math
import time
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

PARAMS, TAGS, STATUS, ARTIFACTS = "params.json", "tags.json", "status.json", "artifacts.json"
METRICS, MODEL = "metrics.csv", "model.keras"

STATUSES = ("FINISHED", "FAILED", "KILLED")
Status = Literal["FINISHED", "FAILED", "KILLED"]


class Point(NamedTuple):
    """One measured number: `value` of the metric `key` after `step` updates."""

    key: str
    value: float
    step: int


class Record(NamedTuple):
    """A point and when it was taken, in milliseconds since 1970: a line of `metrics.csv`."""

    key: str
    value: float
    step: int
    timestamp: int


def points(values: Mapping[str, float], step: int) -> list[Point]:
    """Return a point for every metric, all after `step` updates."""
    return [Point(key, value, step) for key, value in values.items()]


def taken(points: Iterable[Point]) -> list[Record]:
    """Return the records of points that are taken now; a value that is not finite makes none."""
    time_taken = now()
    found = (Record(key, float(value), int(step), time_taken) for key, value, step in points)
    return [record for record in found if math.isfinite(record.value)]


def records_in(lines: str) -> list[Record]:
    """Return the records of whole lines of `metrics.csv`, of which the first may be its header."""
    rows = [row for row in csv.reader(io.StringIO(lines)) if row != list(Record._fields)]
    return [Record(key, float(value), int(step), int(timestamp)) for key, value, step, timestamp in rows]


def now() -> int:
    """Return the time in milliseconds since 1970, as MLflow writes it."""
    return time.time_ns() // 1_000_000
