import pytest

from benchmarks import jobs
from benchmarks.stopwatch import Stopwatch

TINY = ("seq_len=6", "units=4", "batch_size=4", "steps=20", "jit=false")


@pytest.mark.sweep
def test_the_parts_of_a_job_add_up():
    found = jobs.measure(TINY, jobs=3)
    assert found["jobs"] == 1
    assert found["training"] > 0
    assert sum(found["parts"].values()) == pytest.approx(found["cost"])
    assert min(found["parts"].values()) > 0
    assert len(found["parts"]) == 8


@pytest.mark.sweep
def test_the_share_of_tracking_is_of_the_whole_run():
    found = jobs.measure_tracking(TINY, rounds=1)
    parts = [found[name] for name in ("importing MLflow", "records in MLflow", "the saved model")]
    assert min(parts) > 0
    assert found["share"] == pytest.approx(sum(parts) / found["wall"])
    assert 0 < found["share"] < 1


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Work:
    def __init__(self, clock):
        self.clock = clock

    def outer(self):
        self.clock.now += 1
        self.inner()
        self.inner()
        self.clock.now += 2

    def inner(self):
        self.clock.now += 10
        if self.clock.now > 15:
            raise ZeroDivisionError


def test_a_nested_part_is_not_counted_in_the_outer_one(monkeypatch):
    clock = Clock()
    watch = Stopwatch(clock)
    for name in ("outer", "inner"):
        monkeypatch.setattr(Work, name, getattr(Work, name))  # which puts them back afterwards
        watch.watch(Work, name, name)
    work = Work(clock)
    with pytest.raises(ZeroDivisionError):
        work.outer()
    assert watch.seconds == {"outer": 1, "inner": 20}
    clock.now = -100
    work.outer()
    assert watch.seconds == {"outer": 4, "inner": 40}
