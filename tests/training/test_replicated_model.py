"""Replicas against single runs: each is trained once together with others and once by itself.

Whole runs of several, with XLA and without, are in `test_replicas_together.py`, to the bit.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.optim import clipping, constraints, optimizers, schedules
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding, Copying
from rnnexp.training.callback import RecordingCallback
from rnnexp.training.data import training_data
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import History
from rnnexp.training.replicated_model import ReplicatedCallback, ReplicatedModel, replicated_data

H, B = 6, 4
STEPS, EXECUTION, ROWS = 11, 3, 6
SEEDS = (3, 0, 8)
TASKS = {"last step": Adding(12), "every step": Copying(4, symbols=3, recall=2)}
DTYPE = "float64"
RATE = 0.1
TOLERANCE = 1e-9
SINGLE = 1e-6  # the norms are kept in float32, whatever the network computes in


class Setting(NamedTuple):
    """What all replicas share."""

    kind: str = "last step"
    clip: str = "global_norm"
    constraint: str = "none"
    schedule: str = "none"


class Member(NamedTuple):
    """What is one replica's own; weights of scale nan diverge at once."""

    seed: int
    scale: float = 0.4


MEMBERS = tuple(map(Member, SEEDS))


class Run(NamedTuple):
    """What the training of one replica left."""

    weights: list[np.ndarray]
    optimizer: list[np.ndarray]
    history: History
    taken: int
    blocks: list[int]


def build(setting, member):
    task = TASKS[setting.kind]
    network = build_network(task, ElmanCell(H, dtype=DTYPE), member.seed)
    generator = np.random.default_rng(member.seed)
    draws = [generator.standard_normal(weight.shape) for weight in network.get_weights()]
    network.set_weights([member.scale * draw for draw in draws])
    clip = clipping.GlobalNorm(0.3) if setting.clip == "global_norm" else clipping.CATALOGUE[setting.clip]()
    model = RecordingModel(
        network,
        task.loss,
        clip,
        time_steps=task.time_steps,
        rows=ROWS,
        constraint=constraints.CATALOGUE[setting.constraint](),
    )
    optimizer = optimizers.Adam(learning_rate=RATE).build()
    schedule = schedules.CATALOGUE[setting.schedule]().build(RATE, STEPS)
    if schedule is not None:
        optimizer.learning_rate = schedule
    model.compile(optimizer=optimizer, jit_compile=False)
    return model


def recording(model, blocks, before=None):
    def note(block):
        blocks.extend(block.train_steps)

    return RecordingCallback(model, EXECUTION, 1, note, [], before)


def what_is_left(model, callback, blocks):
    callback.read()
    variables = [variable.numpy() for variable in model.optimizer.variables]
    return Run(model.network.get_weights(), variables, callback.history, model.steps_taken, blocks)


def together(setting, members):
    models = [build(setting, member) for member in members]
    replicated = ReplicatedModel(models)
    blocks: list[list[int]] = [[] for _ in models]
    callbacks = [recording(model, noted) for model, noted in zip(models, blocks, strict=True)]
    seeds = [member.seed for member in members]
    data = replicated_data(TASKS[setting.kind], seeds, B, 0, STEPS, DTYPE, EXECUTION)
    joint = ReplicatedCallback(replicated, callbacks)
    replicated.fit(data, verbose=0, shuffle=False, callbacks=[joint])
    return [what_is_left(*parts) for parts in zip(models, callbacks, blocks, strict=True)]


def alone(setting, member):
    model = build(setting, member)
    blocks: list[int] = []
    callback = recording(model, blocks)
    data = training_data(TASKS[setting.kind], member.seed, B, 0, STEPS, DTYPE, EXECUTION)
    model.fit(data, verbose=0, shuffle=False, callbacks=[callback])
    return what_is_left(model, callback, blocks)


def assert_same(run, single):
    record, expected = run.history.kept, single.history.kept
    assert (run.taken, run.blocks) == (single.taken, single.blocks)
    assert run.history.diverged_at == single.history.diverged_at
    assert run.history.clipped == single.history.clipped
    np.testing.assert_array_equal(record.train_steps, expected.train_steps)
    np.testing.assert_array_equal(record.series("clipped"), expected.series("clipped"))
    np.testing.assert_allclose(record.scalars, expected.scalars, rtol=TOLERANCE)
    np.testing.assert_allclose(record.log_norms, expected.log_norms, rtol=0, atol=SINGLE)
    pairs = zip(run.weights + run.optimizer, single.weights + single.optimizer, strict=True)
    for array, other in pairs:
        np.testing.assert_allclose(array, other, rtol=TOLERANCE, atol=TOLERANCE)


def test_replicas_equal_single_runs():
    """Every step is scored; clip, constraint and schedule have a state, of every replica its own."""
    setting = Setting("every step", clip="autoclip", constraint="orthogonal", schedule="cosine")
    runs = together(setting, MEMBERS[:2])
    for run, member in zip(runs, MEMBERS[:2], strict=True):
        assert_same(run, alone(setting, member))
    assert [run.taken for run in runs] == [STEPS] * 2
    assert not np.allclose(runs[0].weights[1], runs[1].weights[1])


def test_training_ends_with_the_last_replica():
    """At the return that reads the full record."""
    runs = together(Setting(), [Member(seed, scale=np.nan) for seed in SEEDS[:2]])
    assert [(run.taken, run.history.diverged_at) for run in runs] == [(ROWS, 0)] * 2


def test_replicas_that_are_held_keep_every_bit():
    """One is held, another has diverged before."""
    models = [build(Setting(), member) for member in MEMBERS]
    replicated = ReplicatedModel(models)
    replicated.hold(1)
    diverged = dataclasses.replace(History.empty(12), diverged_at=0)
    callbacks = [recording(model, [], of) for model, of in zip(models, (None, None, diverged), strict=True)]
    before = [model.network.get_weights() for model in models]
    data = replicated_data(TASKS["last step"], SEEDS, B, 0, STEPS, DTYPE, EXECUTION)
    joint = ReplicatedCallback(replicated, callbacks)
    history = replicated.fit(data, verbose=0, shuffle=False, callbacks=[joint])
    assert [model.steps_taken for model in models] == [STEPS, 0, 0]
    for model, weights in zip(models[1:], before[1:], strict=True):
        for weight, other in zip(model.network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(weight, other)
    (losses,) = zip(*history.history.values(), strict=True)
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True])


def test_the_outputs_are_those_of_the_networks():
    models = [build(Setting(), member) for member in MEMBERS]
    x = np.random.default_rng(0).random((B, 12, 2))
    outputs = ReplicatedModel(models)(x)
    np.testing.assert_array_equal(outputs, [model.network(x) for model in models])


def test_every_seed_has_its_own_stream():
    task = TASKS["last step"]
    data = replicated_data(task, SEEDS, B, 2, 6, "float32", 2)
    for index, blocks in zip((2, 4), data, strict=True):
        for seed, (x, y, filled) in zip(SEEDS, blocks, strict=True):
            assert filled == 2
            for place in range(filled):
                batch = task.batch(seed, "train", index + place, B)
                np.testing.assert_array_equal(x[place], batch.x.astype("float32"))
                np.testing.assert_array_equal(y[place], batch.y)


def test_model_batch_and_callback_are_required_per_replica():
    with pytest.raises(ArgumentError, match="replicas"):
        ReplicatedModel([])
    models = [build(Setting(), member) for member in MEMBERS]
    replicated = ReplicatedModel(models)
    with pytest.raises(ArgumentError, match="callbacks"):
        ReplicatedCallback(replicated, [recording(models[0], [])])
    with pytest.raises(ValueError):
        replicated.train_step(())
