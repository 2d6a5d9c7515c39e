import itertools
import time
from typing import Any, NamedTuple

import numpy as np
import pytest

from rnnexp.training.callback import RecordingCallback
from rnnexp.training.record import History, Recorded

T = 3


class Intervals(NamedTuple):
    record: int
    probe: int
    validation: int
    checkpoint: int


class Hooks(NamedTuple):
    on_block: Any
    on_probe: Any
    on_validation: Any
    on_checkpoint: Any


ALWAYS = Intervals(record=1, probe=1, validation=1, checkpoint=1)
NEVER = Intervals(record=1, probe=0, validation=0, checkpoint=0)


class Device:
    """Stands in for the model under training: a ring of `rows` steps, of which some may be bad."""

    def __init__(self, rows=12, bad=None, clipped=()):
        self.rows = rows
        self.time_steps, self.recorded_layers = T, 1
        self.steps_taken = 0
        self.stop_training = False
        self.reads: list[int] = []
        self._bad = {} if bad is None else bad
        self._clipped = clipped

    def read(self, first):
        steps = np.arange(first, self.steps_taken)
        assert len(steps) <= self.rows, "the ring was overwritten before it was read"
        self.reads.append(len(steps))
        scalars = np.zeros((len(steps), 4))
        for row, step in enumerate(steps):
            scalars[row] = (step, step + 0.5, step, step in self._clipped)
            scalars[row, : len(self._bad.get(step, ()))] = self._bad.get(step, ())
        return Recorded(steps, np.tile(np.float32(steps).reshape(-1, 1), T), scalars)


class Log:
    """Writes down what is called and when."""

    def __init__(self):
        self.calls: list[tuple] = []
        self.blocks: list[Recorded] = []
        names = ("probe", "validation", "checkpoint")
        self.hooks = Hooks(self.blocks.append, *map(self._note, names))

    def _note(self, name):
        return lambda *step: self.calls.append((name, *step))

    def steps(self, name):
        return [step for called, *rest in self.calls if called == name for step in rest]


def recording(device, hooks, execution=1, intervals=NEVER, history=None):
    model: Any = device
    events = (
        (intervals.validation, hooks.on_validation),
        (intervals.probe, hooks.on_probe),
        (intervals.checkpoint, hooks.on_checkpoint),
    )
    return RecordingCallback(model, execution, intervals.record, hooks.on_block, events, history)


def drive(callback, device, stop, execution=1):
    """Train to step `stop` as Keras does: execution by execution, the last one possibly short."""
    while device.steps_taken < stop and not device.stop_training:
        first = device.steps_taken
        callback.on_train_batch_begin(first)
        device.steps_taken = min(first + execution, stop)
        callback.on_train_batch_end(device.steps_taken - 1)


@pytest.mark.parametrize(("every", "execution"), list(itertools.product([1, 2, 3, 5, 7, 40], [1, 3, 10])))
def test_hooks_run_at_the_first_return_after_their_interval(every, execution):
    stop = 23
    returns = [*range(execution, stop, execution), stop]
    spans = [range(before + 1, end + 1) for before, end in itertools.pairwise([0, *returns])]
    due = [span[-1] for span in spans if any(step % every == 0 for step in span)]
    for name in ("probe", "validation", "checkpoint"):
        device, log = Device(), Log()
        intervals = Intervals(**{"record": 1, "probe": 0, "validation": 0, "checkpoint": 0, name: every})
        drive(recording(device, log.hooks, execution, intervals), device, stop, execution)
        assert log.steps(name) == due
        assert len(log.calls) == len(due)


def test_a_checkpoint_comes_last():
    device, log = Device(), Log()
    drive(recording(device, log.hooks, intervals=ALWAYS), device, 2)
    order = [("validation",), ("probe",), ("checkpoint",)]
    assert log.calls == [
        *((*name, 1) for name in order),
        *((*name, 2) for name in order),
    ]


def test_hooks_find_everything_before_them_read():
    device, seen = Device(), []

    def look(step):
        seen.append((step, len(callback.history.kept.train_steps)))

    hooks = Hooks(lambda block: None, look, look, look)
    callback = recording(device, hooks, 3, Intervals(1, 0, 0, 6))
    drive(callback, device, 20, 3)
    assert seen == [(6, 6), (12, 12), (18, 18)]


@pytest.mark.parametrize(("rows", "execution"), [(1, 1), (4, 1), (12, 3), (10, 10), (30, 10)])
@pytest.mark.parametrize("record", [1, 2, 5, 100])
@pytest.mark.parametrize("intervals", [NEVER, Intervals(1, 4, 3, 0)])
def test_the_history_is_complete_and_in_order(rows, execution, record, intervals):
    stop = 23
    device, log = Device(rows, clipped=range(7, 11)), Log()
    intervals = Intervals(record, intervals.probe, intervals.validation, intervals.checkpoint)
    callback = recording(device, log.hooks, execution, intervals)
    drive(callback, device, stop, execution)
    callback.read()
    np.testing.assert_array_equal(
        np.concatenate([block.train_steps for block in log.blocks]), np.arange(stop)
    )
    kept = callback.history.kept
    np.testing.assert_array_equal(kept.train_steps, np.arange(0, stop, record))
    np.testing.assert_array_equal(kept.series("loss"), kept.train_steps)
    np.testing.assert_array_equal(kept.log_norms, np.tile(kept.train_steps[:, None], T))
    assert callback.history.clipped == 4
    assert callback.diverged_at is None


def test_the_device_is_read_seldom():
    device, log = Device(rows=50), Log()
    drive(recording(device, log.hooks), device, 500)
    assert device.reads == [50] * 10


def test_there_is_nothing_to_read_twice():
    device, log = Device(), Log()
    callback = recording(device, log.hooks)
    callback.read()
    drive(callback, device, 3)
    callback.read()
    callback.read()
    assert [len(block.train_steps) for block in log.blocks] == [3]


BAD = {
    "a loss that is not a number": (np.nan,),
    "an infinite loss": (np.inf,),
    "a gradient that is not a number": (1.0, np.nan),
    "an infinite gradient": (1.0, np.inf),
}


@pytest.mark.parametrize("values", BAD.values(), ids=BAD)
@pytest.mark.parametrize("execution", [1, 3])
@pytest.mark.parametrize("rows", [6, 30])
def test_divergence_is_found_at_its_step_however_late_noticed(values, execution, rows):
    device = Device(rows, bad={7: values, 8: values, 12: values}, clipped=(6, 7, 8, 9))
    log = Log()
    callback = recording(device, log.hooks, execution, Intervals(1, 0, 0, 20))
    drive(callback, device, 60, execution)
    assert callback.diverged_at == callback.history.diverged_at == 7
    assert device.stop_training
    assert device.steps_taken <= 7 + rows + execution
    np.testing.assert_array_equal(callback.history.kept.train_steps, np.arange(8))
    assert int(log.blocks[-1].train_steps[-1]) == 7
    assert callback.history.clipped == 2


@pytest.mark.parametrize("values", [(1.0, 1.0, np.nan), (1.0, 1e300), (-1e300,)])
def test_what_is_finite_or_clipped_to_nothing_is_no_divergence(values):
    device, log = Device(bad={7: values}), Log()
    callback = recording(device, log.hooks)
    drive(callback, device, 12)
    assert callback.diverged_at is None
    assert not device.stop_training


def test_after_a_divergence_no_hook_is_called():
    device, log = Device(bad={4: (np.nan,)}), Log()
    drive(recording(device, log.hooks, intervals=ALWAYS), device, 12)
    assert device.steps_taken == 5
    assert log.calls == [
        (name, step) for step in range(1, 5) for name in ("validation", "probe", "checkpoint")
    ]


def test_a_divergence_that_only_the_last_read_finds():
    device, log = Device(rows=50, bad={9: (np.nan,)}), Log()
    callback = recording(device, log.hooks)
    drive(callback, device, 12)
    assert callback.diverged_at is None
    callback.read()
    assert callback.diverged_at == 9


def test_a_run_goes_on_with_its_history():
    first, second = Device(clipped=range(3, 9)), Device(clipped=range(3, 9))
    callback = recording(first, Log().hooks, intervals=Intervals(2, 0, 0, 0))
    drive(callback, first, 5)
    callback.read()
    before = callback.history
    second.steps_taken = 5
    log = Log()
    later = recording(second, log.hooks, intervals=Intervals(2, 4, 0, 0), history=before)
    np.testing.assert_array_equal(later.history.kept.train_steps, [0, 2, 4])
    drive(later, second, 10)
    later.read()
    np.testing.assert_array_equal(later.history.kept.train_steps, [0, 2, 4, 6, 8])
    assert later.history.clipped == 6
    assert later.history.seconds > before.seconds > 0
    assert log.steps("probe") == [8]


def test_a_run_that_had_diverged_stays_so():
    history = History(Recorded.empty(T), 0, 0.0, diverged_at=0)
    device, log = Device(), Log()
    callback = recording(device, log.hooks, intervals=ALWAYS, history=history)
    drive(callback, device, 5)
    assert callback.history.diverged_at == 0
    assert device.steps_taken == 1
    assert log.calls == []
    assert log.blocks == []


def test_the_clock_runs_from_begin_to_end_of_an_execution_only(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    device = Device()

    def sleep(*step):
        now[0] += 1000

    callback = recording(device, Hooks(sleep, sleep, sleep, sleep), 2, ALWAYS)
    for _ in range(3):
        now[0] += 10
        callback.on_train_batch_begin(0)
        now[0] += 0.5
        device.steps_taken += 2
        callback.on_train_batch_end(1)
    assert callback.history.seconds == 1.5


def test_the_history_of_a_run_that_has_not_begun():
    history = recording(Device(), Log().hooks).history
    assert history.kept.log_norms.shape == (0, T)
    assert (history.clipped, history.seconds, history.diverged_at) == (0, 0.0, None)
