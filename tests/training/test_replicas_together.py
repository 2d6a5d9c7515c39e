"""Several seeds trained together against each alone: the same events, and the same bits."""

import dataclasses
import functools
import shutil
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from interruptions import SignalAt
from plans import small_plan

from rnnexp.nn.initializers import Orthogonal
from rnnexp.optim import clipping
from rnnexp.optim.clipping import GlobalNorm, NoClip, Norm, Value
from rnnexp.optim.optimizers import Sgd
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

STEPS = 12
DIVERGING = Sgd(learning_rate=1e300)


def plan_of(seed, **changes):
    fields = {"initializer": Orthogonal(seed=3 * seed + 1), "task": Adding(8), "train_steps": STEPS}
    return small_plan(seed=seed, **(fields | changes))


class Watcher:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def observer(self):
        return Observer(
            lambda block: self.told.append(("block", tuple(block.train_steps.tolist()))),
            lambda measurement: self.told.append(("measurement", measurement.step)),
            lambda validated: self.told.append(("validation", validated.step)),
            lambda: self.told.append(("checkpoint", None)),
        )


def left(replica, result):
    """All numbers of a run but its duration."""
    kept = result.history.kept
    variables = [*replica.network.get_weights(), *map(np.asarray, replica.model.optimizer.variables)]
    return {
        **{f"variable {place}": value for place, value in enumerate(variables)},
        "record": np.column_stack([kept.train_steps, kept.log_norms, *kept.upper, kept.scalars]),
        "clipped": result.history.clipped,
        "diverged at": result.diverged_at,
        "taken": result.steps_taken,
        "validations": [(v.step, *dataclasses.astuple(v.score)) for v in result.validations],
        "start": list(result.start.metrics().values()),
        "end": list(result.end.metrics().values()),
        "at": [result.start.step, result.end.step],
        "spectra": result.spectra.table(),
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def together(plans, folder, resume=None, watchers=None, interruption=None, on_return=lambda: None):
    watchers = watchers or [Watcher() for _ in plans]
    members = [
        Member(plan, folder / f"{place}.npz", watcher.observer())
        for place, (plan, watcher) in enumerate(zip(plans, watchers, strict=True))
    ]
    trainer = Trainer(members, interruption or Interruption(), on_return)
    results = trainer.run(resume or [False] * len(plans))
    return [left(*pair) for pair in zip(trainer.replicas, results, strict=True)]


PLANS = {
    "without XLA": (
        plan_of(0, clip=NoClip()),
        plan_of(7, clip=Value(0.05), optimizer=DIVERGING),
        plan_of(2, clip=Norm(0.05), layers=2),
    ),
    "with XLA": (
        plan_of(7, optimizer=DIVERGING, jit=True, shards=2),
        plan_of(0, clip=GlobalNorm(0.05), jit=True, shards=2),
    ),
}
"""Every clip, two layers, and a network that diverges; with XLA and without."""


@functools.cache
def expected(plan):
    """What a plan finds and tells alone."""
    watcher = Watcher()
    with tempfile.TemporaryDirectory() as folder:
        (found,) = together([plan], Path(folder), watchers=[watcher])
        return found, watcher.told


@pytest.mark.parametrize("compiled", PLANS)
def test_each_finds_what_it_does_alone_beside_one_that_diverges(compiled, tmp_path):
    watchers = [Watcher() for _ in PLANS[compiled]]
    found = together(PLANS[compiled], tmp_path, watchers=watchers)
    for plan, run, watcher in zip(PLANS[compiled], found, watchers, strict=True):
        assert_same(run, expected(plan)[0])
        assert watcher.told == expected(plan)[1]
    clips = [not isinstance(plan.clip, NoClip) for plan in PLANS[compiled]]
    assert [run["clipped"] > 0 for run in found] == clips
    diverged = [1 if plan.optimizer == DIVERGING else None for plan in PLANS[compiled]]
    assert [run["diverged at"] for run in found] == diverged


def test_every_clip_that_may_have_no_state_is_among_them():
    kinds = {type(plan.clip) for plans in PLANS.values() for plan in plans}
    stateless = {clipping.CATALOGUE[name] for name in ("none", "value", "norm", "global_norm")}
    assert kinds == stateless


def test_a_compiled_run_goes_on_to_the_bit(tmp_path):
    plan = PLANS["with XLA"][1]
    with pytest.raises(Killed):
        together([plan], tmp_path, interruption=SignalAt(4))
    assert checkpoint.steps_in(tmp_path / "0.npz") == 8
    (found,) = together([plan], tmp_path, resume=[True])
    assert_same(found, expected(plan)[0])


class SignalAfter(Interruption):
    """A SIGTERM that comes when training has returned so many times."""

    def __init__(self, count):
        super().__init__()
        self._left = count

    def returned(self):
        self._left -= 1
        if self._left == 0:
            self.receive(signal.SIGTERM)


def test_replicas_behind_catch_up_to_the_undisturbed_results(tmp_path):
    """One has an older checkpoint, as after a kill between two of them, and one has none."""
    plans, interruption = PLANS["without XLA"], SignalAfter(5)
    states = [tmp_path / f"{place}.npz" for place in range(len(plans))]
    older = tmp_path / "older.npz"

    def on_return():
        if states[0].exists() and not older.exists():
            shutil.copy(states[0], older)
        interruption.returned()

    with pytest.raises(Killed, match="SIGTERM"):
        together(plans, tmp_path, interruption=interruption, on_return=on_return)
    taken = expected(plans[1])[0]["taken"]
    assert [checkpoint.steps_in(path) for path in states] == [10, taken, 10]
    assert checkpoint.steps_in(older) == 4
    older.replace(states[0])
    states[2].unlink()

    watchers = [Watcher() for _ in plans]
    found = together(plans, tmp_path, resume=[True, True, False], watchers=watchers)
    for plan, run in zip(plans, found, strict=True):
        assert_same(run, expected(plan)[0])
    first = [
        min(step for kind, steps in watcher.told if kind == "block" for step in steps)
        for watcher in watchers[::2]
    ]
    assert first == [4, 0]
