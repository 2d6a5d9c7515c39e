import csv
import math
from typing import Any

import numpy as np
import pytest

from rnnexp.tracking.metrics_file import MetricsFile
from rnnexp.tracking.records import Point

HEADER = "key,value,step,timestamp\n"


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def rows(path):
    with path.open() as file:
        return [(row["key"], float(row["value"]), int(row["step"])) for row in csv.DictReader(file)]


def steps(path):
    return [step for _, _, step in rows(path)]


def test_points_wait_until_the_time_is_up(path):
    clock = Clock()
    file = MetricsFile(path, seconds=5, clock=clock)
    clock.seconds = 4.9
    file.add([Point("a", 1.0, 0)])
    assert steps(path) == []
    clock.seconds = 5.0
    file.add([Point("a", 1.0, 1)])
    assert steps(path) == [0, 1]
    clock.seconds = 9.9
    file.add([Point("a", 1.0, 2)])
    assert steps(path) == [0, 1]


def test_a_thousand_points_are_written_at_once(path):
    file = MetricsFile(path, clock=Clock())
    file.add(Point("a", 0.0, step) for step in range(999))
    assert steps(path) == []
    file.add([Point("a", 0.0, 999)])
    assert steps(path) == list(range(1000))


def test_only_finite_values_pass(path):
    file = MetricsFile(path)
    values: list[Any] = [math.nan, math.inf, -math.inf, np.float32(np.inf), np.float32(0.5), 1]
    file.add(Point("a", value, 0) for value in values)
    file.flush()
    assert [value for _, value, _ in rows(path)] == [0.5, 1.0]


def test_steps_of_an_earlier_attempt_are_passed_over(path):
    path.write_text(HEADER + "a,0.5,10,99\nb,0.5,-3,99\n")
    file = MetricsFile(path)
    file.add(Point("a", 0.0, step) for step in (9, 10, 11))
    file.add([Point("b", 0.0, -3), Point("b", 0.0, -2), Point("c", 0.0, -7)])
    file.flush()
    assert rows(path)[2:] == [("a", 0.0, 11), ("b", 0.0, -2), ("c", 0.0, -7)]


def test_steps_of_this_attempt_may_come_in_any_order(path):
    file = MetricsFile(path)
    file.add([Point("a", 0.0, 5), Point("a", 0.0, 4), Point("a", 0.0, 4)])
    file.flush()
    assert steps(path) == [5, 4, 4]


def test_a_failed_write_is_repeated_with_its_timestamp(path, monkeypatch):
    file = MetricsFile(path)
    monkeypatch.setattr("rnnexp.tracking.records.now", lambda: 7)
    file.add([Point("a", 1.0, 0)])
    monkeypatch.undo()
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        file.flush()
    path.rmdir()
    path.with_suffix(".away").rename(path)
    file.flush()
    file.flush()
    assert path.read_text() == HEADER + "a,1.0,0,7\n"


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ("", HEADER),
        ("key,va", HEADER),
        (HEADER, HEADER),
        (HEADER + "loss,1.5,3,99\nloss,2", HEADER + "loss,1.5,3,99\n"),
        (HEADER + "loss,1.5,3,99\n", HEADER + "loss,1.5,3,99\n"),
    ],
)
def test_a_line_that_a_kill_has_broken_is_removed(left, kept, path):
    path.write_text(left)
    file = MetricsFile(path)
    assert path.read_text() == kept
    file.add([Point("loss", 2.5, 3), Point("loss", 2.5, 4)])
    file.flush()
    assert steps(path) == [3, 4]  # 3 once: as it was, or anew
    assert path.read_text().startswith(kept)


def test_values_are_kept_to_the_last_bit(path):
    file = MetricsFile(path)
    file.add([Point("x", 0.1 + 0.2, 0)])
    file.flush()
    assert rows(path) == [("x", 0.1 + 0.2, 0)]
