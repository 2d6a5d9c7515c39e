"""Restores a model and the random generators to their state before a forward pass."""

import collections
import contextlib
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context
from tensorflow.python.ops import stateful_random_ops

from rnnexp.diagnosis.keras_models.reachable import reachable

_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
_GENERATOR = "global_seed_generator"
"""Keras' name for the generator behind `keras.random` functions without a seed."""
_SEED = 20_011
"""Seed of TensorFlow's random operations during a measurement, so that training's sequences stay the same."""


@contextlib.contextmanager
def preserved(model: keras.Model, training: bool) -> Iterator[None]:
    """Restore at the end, also after an exception, what a forward pass and its loss may change.

    - Variables that are not trainable weights: moving averages, seed generators, states of stateful layers,
      metrics, and every other `tf.Variable` that is reachable from the model. With `training` also the
      trainable weights, which some wrappers normalise in training mode.
    - Attributes, lists, dictionaries and sets of layers and their helper objects, the losses of their last
      call, and dropout masks that an exception left in a cell.
    - The random generators of Keras, TensorFlow, NumPy and Python, global ones and those in the model.
    """
    held = [each.value for each in reachable(model)]
    generator = seed_generator()
    # A tensor read from a variable shares its memory until the variable is written: this copies nothing.
    values = [(variable, _read(variable)) for variable in _variables(model, held, training, generator)]
    attributes = _attributes(held)
    layers = [each for each in held if isinstance(each, keras.layers.Layer)]
    losses = [(layer._losses, list(layer._losses)) for layer in layers]
    with chance_kept(held):
        try:
            yield
        finally:
            for variable, value in values:
                variable.assign(value)
            for kept, before in losses:
                kept[:] = before
            for layer in layers:
                if isinstance(layer, keras.layers.RNN):
                    layer._maybe_reset_dropout_masks(layer.cell)
            for container, before in attributes:
                _put_back(container, before)
            if seed_generator() is not generator:
                global_state.set_global_attribute(_GENERATOR, generator)


def seed_generator() -> Any:
    """Return Keras' global seed generator, or None before its first use."""
    return global_state.get_global_attribute(_GENERATOR)


def _read(variable: Any) -> tf.Tensor:
    return (variable.value if isinstance(variable, keras.Variable) else variable).read_value()


def _variables(model: keras.Model, held: list[Any], training: bool, generator: Any) -> list[Any]:
    own = [variable for variable in model.variables if training or not variable.trainable]
    weights = {id(variable) for variable in model.trainable_variables} if not training else set()
    weights |= {id(variable.value) for variable in model.variables}
    kept = [each for each in held if isinstance(each, keras.Variable | tf.Variable)]
    kept += [
        each.state for each in held if isinstance(each, tf.random.Generator | keras.random.SeedGenerator)
    ]
    kept += [v for each in held if isinstance(each, keras.metrics.Metric) for v in each.variables]
    seeds = [] if generator is None else [generator.state]
    all_of_them = [*own, *seeds, *model.metrics_variables, *kept]
    return [each for key, each in {id(each): each for each in all_of_them}.items() if key not in weights]


def _attributes(held: list[Any]) -> list[tuple[Any, Any]]:
    """Return every container of the model with a shallow copy of its content."""
    containers = [each for each in held if isinstance(each, dict | list | set | collections.deque)]
    containers += [vars(each) for each in held if _has_attributes(each)]
    return [(container, _copy(container)) for container in containers]


def _has_attributes(value: Any) -> bool:
    library = type(value).__module__.partition(".")[0] in ("keras", "tensorflow", "builtins", "functools")
    return hasattr(value, "__dict__") and not (library or (callable(value) and hasattr(value, "__code__")))


def _copy(container: Any) -> Any:
    for kind in (dict, list, set):
        if isinstance(container, kind):
            return kind(container)
    return list(container)


def _put_back(container: Any, before: Any) -> None:
    """Restore the content of a container, without Keras' tracking of its own lists and dictionaries."""
    if isinstance(container, dict):
        for name in [name for name in container if name not in before]:
            dict.__delitem__(container, name)
        for name, value in before.items():
            if container.get(name, container) is not value:
                dict.__setitem__(container, name, value)
    elif isinstance(container, list):
        list.__setitem__(container, slice(None), before)
    elif isinstance(container, set):
        set.intersection_update(container, before)
        set.update(container, before)
    else:
        container.clear()
        container.extend(before)


@contextlib.contextmanager
def chance_kept(held: Sequence[Any] = ()) -> Iterator[None]:
    """Restore at the end the random generators outside Keras: the global ones, and those in a model."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    own = [_restorer(each) for each in held if isinstance(each, _GENERATORS)]
    shared = stateful_random_ops.global_generator
    drawn = None if shared is None else shared.state.read_value()
    eager = context.context()
    seeds = {name: vars(eager)[name] for name in ("_seed", "_rng") if name in vars(eager)}
    # The generator of a random operation is part of its kernel, and other seeds select another kernel.
    eager._seed, eager._rng = _SEED, random.Random(_SEED)
    try:
        yield
    finally:
        del eager._rng
        vars(eager).update(seeds)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for restore in own:
            restore()
        stateful_random_ops.global_generator = shared
        if shared is not None:
            shared.state.assign(drawn)


def _restorer(generator: Any) -> Callable[[], None]:
    """Return a function that restores the present state of a random generator."""
    if isinstance(generator, random.Random):
        return functools.partial(generator.setstate, generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return functools.partial(generator.set_state, generator.get_state())
    bits = generator.bit_generator
    return functools.partial(setattr, bits, "state", bits.state)
