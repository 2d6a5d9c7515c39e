import threading

import pytest

from rnnexp.sweep import turns as module
from rnnexp.sweep.turns import Turn, Turns, may_overlap

SECONDS = 60


class Work:
    """A job that ends its turn, and ends when it is told to."""

    def __init__(self, error=None):
        self.may_end = threading.Event()
        self.ended = False
        self._error = error

    def __call__(self, turn):
        turn.end()
        assert self.may_end.wait(SECONDS)
        self.ended = True
        if self._error is not None:
            raise self._error


def test_the_next_job_begins_when_the_turn_of_the_one_before_is_over():
    turns, first, second = Turns(), Work(), Work()
    turns.take(first)
    turns.take(second)
    assert not first.ended and not second.ended
    for work in (second, first):
        work.may_end.set()
    turns.wait()
    assert first.ended and second.ended


def test_a_third_job_waits_for_one_of_two_to_end():
    turns, works, begun = Turns(), [Work(), Work()], threading.Event()
    for work in works:
        turns.take(work)
    third = threading.Thread(target=turns.take, args=(lambda turn: begun.set(),))
    third.start()
    assert not begun.wait(0.1)
    works[0].may_end.set()
    assert begun.wait(SECONDS)
    third.join(SECONDS)
    works[1].may_end.set()
    turns.wait()


def test_a_turn_is_over_with_its_job_at_the_latest():
    turns = Turns()
    turns.take(lambda turn: None)
    turns.wait()


@pytest.mark.parametrize("by", ["take", "wait"])
def test_what_a_job_raises_after_its_turn_is_raised_later(by):
    turns, work = Turns(), Work(ZeroDivisionError("of nothing"))
    turns.take(work)
    work.may_end.set()
    with pytest.raises(ZeroDivisionError):
        while True:  # until it has ended
            turns.take(lambda turn: None)
            if by == "wait":
                turns.wait()
    turns.wait()


def test_what_a_job_raises_in_its_turn_is_raised_at_once():
    def fail(turn):
        raise ZeroDivisionError("of nothing")

    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        turns.take(fail)
    turns.wait()


def test_a_job_may_wait_for_those_before_it():
    turns, first, found = Turns(), Work(), []
    turns.take(first)
    waiting = threading.Thread(
        target=turns.take, args=(lambda turn: found.append((turn.wait_for_those_before(), first.ended)),)
    )
    waiting.start()
    waiting.join(0.1)
    assert found == []
    first.may_end.set()
    waiting.join(SECONDS)
    assert found == [(True, True)]
    turns.wait()
    assert not Turn().wait_for_those_before()


@pytest.mark.parametrize(
    ("launcher", "cores", "gpus", "expected"),
    [
        ("basic", 2, 0, True),
        ("basic", 1, 0, False),
        ("basic", 16, 1, False),
        ("joblib", 16, 0, False),
        (None, 16, 0, False),
    ],
)
def test_jobs_overlap_one_after_the_other_on_several_cores_without_a_gpu(
    launcher, cores, gpus, expected, monkeypatch
):
    monkeypatch.setattr(module, "cores", lambda: cores)
    monkeypatch.setattr(module, "gpu_count", lambda: gpus)
    assert may_overlap(launcher) is expected
