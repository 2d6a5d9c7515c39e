"""Every contestant trains: after a few steps its weights are others, and finite."""

import importlib.util
import sys

import numpy as np
import pytest

from benchmarks import adjoints, contestants, floor, timing
from benchmarks.contestants import Shape

SHAPE = Shape(steps=6, units=4, batch_size=8)

FIELD = {
    "rnnexp": lambda: contestants.rnnexp_fit(SHAPE, record=True),
    "rnnexp, not recording": lambda: contestants.rnnexp_fit(SHAPE, record=False),
    "rnnexp, two parts": lambda: contestants.rnnexp_fit(SHAPE, record=True, parts=2),
    "Keras": lambda: contestants.keras_fit(SHAPE, jit=False),
    "Keras, XLA": lambda: contestants.keras_fit(SHAPE, jit=True),
    "floor": lambda: floor.floor(SHAPE),
}


def there(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.mark.parametrize("name", FIELD)
def test_it_takes_the_steps_that_it_is_asked_for(name):
    train = FIELD[name]()
    assert all(seconds > 0 for seconds in timing.paired({name: train}, 1e-4, 2)[name])


@there("torch")
def test_torch_takes_steps():
    assert timing.paired({"torch": contestants.torch_loop(SHAPE)}, 1e-4, 2)["torch"]


@there("jax")
def test_jax_takes_steps():
    # In a process of its own: JAX changes TensorFlow's log level, and forbids forks.
    code = f"""
from benchmarks import jax_loop, timing
from benchmarks.contestants import Shape
field = {{unroll: jax_loop.jax_loop(Shape{tuple(SHAPE)}, unroll) for unroll in jax_loop.UNROLLS}}
assert all(min(seconds) > 0 for seconds in timing.paired(field, 1e-4, 2).values())
"""
    assert timing.processes({"jax": [sys.executable, "-c", code]}, 1)["jax"]


@there("torch")
def test_both_ways_to_the_adjoints_run():
    taken = timing.paired({"rnnexp": adjoints._ours(SHAPE), "torch": adjoints._torch(SHAPE)}, 1e-4, 2)
    assert np.isfinite(timing.median_ratio(taken["torch"], taken["rnnexp"]))
