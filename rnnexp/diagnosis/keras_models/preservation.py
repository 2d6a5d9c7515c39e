"""A model, and all that surrounds it, as it was before a forward pass."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state

_GENERATOR = "global_seed_generator"
"""Keras' name for the generator behind `keras.random` functions without a seed."""


@contextlib.contextmanager
def preserved(model: keras.Model, training: bool) -> Iterator[None]:
    """Put back on the way out, exception or not, what a forward pass and its loss may change.

    These are: variables that are no trainable weights (moving averages, seed generators, states of stateful
    layers, metrics, a layer's own `tf.Variable`s) and, with `training`, the trainable weights, which some
    wrappers normalise in training mode; the losses that layers keep of their last call; dropout masks that an
    exception leaves in a cell; Keras' global seed generator, and Python's, which seeds the former.
    """
    generator = seed_generator()
    chance = random.getstate()
    # A tensor read from a variable shares its memory until the variable is written: this copies nothing.
    values = [(variable, variable.value.read_value()) for variable in _variables(model, training, generator)]
    values += [(variable, variable.read_value()) for variable in _raw_variables(model)]
    losses = [(layer._losses, list(layer._losses)) for layer in model._flatten_layers()]
    try:
        yield
    finally:
        for variable, value in values:
            variable.assign(value)
        for kept, before in losses:
            kept[:] = before
        for layer in _recurrent(model):
            layer._maybe_reset_dropout_masks(layer.cell)
        if seed_generator() is not generator:
            global_state.set_global_attribute(_GENERATOR, generator)
        random.setstate(chance)


def seed_generator() -> Any:
    """Return Keras' global seed generator, or None before its first use."""
    return global_state.get_global_attribute(_GENERATOR)


def _variables(model: keras.Model, training: bool, generator: Any) -> list[keras.Variable]:
    own = [variable for variable in model.variables if training or not variable.trainable]
    states = [
        variable
        for layer in _recurrent(model)
        if layer.stateful
        for variable in keras.tree.flatten(layer.states)
        if variable is not None
    ]
    seeds = [] if generator is None else [generator.state]
    return list({id(each): each for each in [*own, *states, *seeds, *model.metrics_variables]}.values())


def _raw_variables(model: keras.Model) -> list[tf.Variable]:
    """The `tf.Variable`s that layers hold as attributes, `tf.random.Generator`s among them."""
    held = [value for layer in model._flatten_layers() for value in vars(layer).values()]
    generators = [value.state for value in held if isinstance(value, tf.random.Generator)]
    return [*(value for value in held if isinstance(value, tf.Variable)), *generators]


def _recurrent(model: keras.Model) -> list[keras.layers.RNN]:
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
