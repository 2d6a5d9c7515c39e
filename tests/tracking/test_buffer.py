import math
from typing import Any

import numpy as np
import pytest

from rnnexp.tracking.buffer import BATCH, Buffer
from rnnexp.tracking.tracker import Point


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def sent():
    return []


def steps(sent):
    return [[record.step for record in batch] for batch in sent]


def test_points_wait_until_the_time_is_up(sent):
    clock = Clock()
    buffer = Buffer(sent.append, seconds=5, clock=clock)
    clock.seconds = 4.9
    buffer.add([Point("a", 1.0, 0)])
    assert sent == []
    clock.seconds = 5.0
    buffer.add([Point("a", 1.0, 1)])
    assert steps(sent) == [[0, 1]]
    clock.seconds = 9.9
    buffer.add([Point("a", 1.0, 2)])
    assert steps(sent) == [[0, 1]]


def test_a_full_batch_is_written_at_once_and_no_batch_is_larger(sent):
    buffer = Buffer(sent.append, clock=Clock())
    buffer.add(Point("a", 0.0, step) for step in range(BATCH - 1))
    assert sent == []
    buffer.add(Point("a", 0.0, step) for step in range(BATCH - 1, 2 * BATCH + 5))
    assert [len(batch) for batch in sent] == [BATCH, BATCH, 5]
    assert [record.step for batch in sent for record in batch] == list(range(2 * BATCH + 5))


def test_only_finite_values_pass_and_the_others_are_counted(sent):
    buffer = Buffer(sent.append)
    values: list[Any] = [math.nan, math.inf, -math.inf, np.float32(np.inf), np.float32(0.5), 1]
    buffer.add(Point("a", value, 0) for value in values)
    buffer.flush()
    assert [record.value for record in sent[0]] == [0.5, 1.0]
    assert buffer.dropped == 4


def test_steps_of_an_earlier_attempt_are_passed_over(sent):
    buffer = Buffer(sent.append, written={"a": 10})
    assert (buffer.last_step("a"), buffer.last_step("b")) == (10, None)
    buffer.add([Point("a", 0.0, 9), Point("a", 0.0, 10), Point("a", 0.0, 11), Point("b", 0.0, 3)])
    buffer.flush()
    assert [(record.key, record.step) for record in sent[0]] == [("a", 11), ("b", 3)]
    assert (buffer.last_step("a"), buffer.last_step("b")) == (11, 3)
    assert buffer.dropped == 0


def test_steps_of_this_attempt_may_come_in_any_order(sent):
    buffer = Buffer(sent.append)
    buffer.add([Point("a", 0.0, 5), Point("a", 0.0, 4), Point("a", 0.0, 4)])
    buffer.flush()
    assert steps(sent) == [[5, 4, 4]]
    assert buffer.last_step("a") == 5


def test_a_failed_write_is_repeated_with_its_timestamp():
    batches, broken = [], [True]

    def send(batch):
        batches.append(list(batch))
        if broken[0]:
            raise ConnectionError("no answer")

    buffer = Buffer(send)
    buffer.add([Point("a", 1.0, 0)])
    with pytest.raises(ConnectionError):
        buffer.flush()
    broken[0] = False
    buffer.flush()
    buffer.flush()
    assert batches == [batches[0]] * 2
