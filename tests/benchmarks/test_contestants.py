"""Every contestant takes the steps that it is asked for, and those of Keras change every weight."""

import importlib.util
import sys
from unittest.mock import Mock

import numpy as np
import pytest

from benchmarks import adjoints, contestants, floor, timing
from benchmarks.torch_loop import torch_loop
from benchmarks.work import Shape

SHAPE = Shape(steps=6, units=4, batch_size=8)

FIELD = {
    "rnnexp": lambda: contestants.rnnexp_fit(SHAPE, record=True),
    "rnnexp, not recording": lambda: contestants.rnnexp_fit(SHAPE, record=False),
    "rnnexp, two parts": lambda: contestants.rnnexp_fit(SHAPE, record=True, parts=2),
    "Keras": lambda: contestants.keras_fit(SHAPE, jit=False),
    "Keras, XLA": lambda: contestants.keras_fit(SHAPE, jit=True),
}


def there(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


def test_the_floor_runs_as_often_as_it_is_asked():
    assert len(timing.paired({"floor": floor.floor(SHAPE)}, 1e-4, 2)["floor"]) == 2


@pytest.mark.parametrize("name", FIELD)
def test_it_runs_as_asked_and_every_step_updates_every_weight(name, monkeypatch):
    fitted = Mock(wraps=contestants._fit)
    monkeypatch.setattr(contestants, "_fit", fitted)
    train = FIELD[name]()
    model, *_ = fitted.call_args.args
    before = [weight.numpy() for weight in model.trainable_variables]
    train(20)
    assert int(model.optimizer.iterations) == 20
    for weight, was in zip(model.trainable_variables, before, strict=True):
        assert np.all(np.isfinite(weight)) and np.any(weight.numpy() != was), weight.path
    assert len(timing.paired({name: train}, 1e-4, 2)[name]) == 2


@there("torch")
def test_torch_takes_as_many_steps(monkeypatch):
    import torch

    steps = []
    kept = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: steps.append(kept(self)))
    torch_loop(SHAPE)(7)
    assert len(steps) == 7


@there("jax")
def test_jax_takes_steps():
    # In a process of its own: JAX changes TensorFlow's log level, and forbids forks.
    code = f"""
from benchmarks import jax_loop, timing
from benchmarks.work import Shape
field = {{unroll: jax_loop.jax_loop(Shape{tuple(SHAPE)}, unroll) for unroll in jax_loop.UNROLLS}}
assert all(min(seconds) > 0 for seconds in timing.paired(field, 1e-4, 2).values())
"""
    assert timing.processes({"jax": [sys.executable, "-c", code]}, 1)["jax"]


@there("torch")
def test_both_ways_to_the_adjoints_run():
    taken = timing.paired({"rnnexp": adjoints._ours(SHAPE), "torch": adjoints._torch(SHAPE)}, 1e-4, 2)
    assert np.isfinite(timing.median_ratio(taken["torch"], taken["rnnexp"]))
