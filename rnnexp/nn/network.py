"""The network of a run: recurrent layers one upon the other and a linear readout, as a plain Keras model."""

from collections.abc import Sequence
from typing import Any

import keras

from rnnexp.nn.initializers import GlorotUniform
from rnnexp.nn.recurrent import RNN
from rnnexp.tasks import Task

RECURRENT = "recurrent"
"""Name of the lowest recurrent layer; those above it are `recurrent_2`, `recurrent_3`, ..."""

READOUT = "readout"
"""Name of the readout layer."""


READ = "read"
"""Name of the layer above a recurrent one whose states are read through phi; with its number as above."""


def build_network(
    task: Task,
    cell: keras.layers.Layer,
    seed: int,
    segment: int | None = None,
    truncate: int | None = None,
    any_length: bool = False,
    above: Sequence[keras.layers.Layer] = (),
) -> keras.Model:
    """Return the model x (B, T, F) -> y: (B, O), or (B, T, O) where the task scores every step.

        h_1 .. h_T = RNN(cell)(x),    y_t = W_hy^T h_t + c

    With L layers h^(1) .. h^(L), each reads the states of the one below, and y those of the highest:

        h^(l)_1 .. h^(l)_T = RNN(cell_l)(h^(l-1)_1 .. h^(l-1)_T),    h^(0) = x,    y_t = W_hy^T h^(L)_t + c

    States are read as phi(h_t) where the spec of the cell says so (`read_through_activation`).

    Args:
        task: Determines T, F, O and the scored steps.
        cell: A new recurrent cell. The network has its dtype.
        seed: Of W_hy (H, O), which is Glorot uniform; c (O,) starts at 0. It must differ from the seeds of
            the cells' weights: initialisers with equal seeds draw the same numbers.
        segment: As for `rnnexp.RNN`, of every layer.
        truncate: As for `rnnexp.RNN`, of every layer.
        any_length: Whether the network takes sequences of any length, and not of T alone.
        above: Further cells, from below: each is one more layer.
    """
    dtype = cell.compute_dtype
    inputs = keras.Input((None if any_length else task.time_steps, task.input_size), dtype=dtype)
    states, cells = inputs, (cell, *above)
    for number, each in enumerate(cells, start=1):
        every_step = task.scores_every_step or number < len(cells)
        ways: dict[str, Any] = {"segment": segment, "truncate": truncate, "dtype": dtype}
        layer = RNN(each, return_sequences=every_step, name=_name(RECURRENT, number), **ways)
        states = layer(states)
        if getattr(getattr(each, "spec", None), "read_through_activation", False):
            states = keras.layers.Activation(each.activation, name=_name(READ, number), dtype=dtype)(states)
    kernel_initializer = GlorotUniform(seed=seed)
    readout = keras.layers.Dense(
        task.output_size, kernel_initializer=kernel_initializer, name=READOUT, dtype=dtype
    )
    return keras.Model(inputs, readout(states), name="network")


def recurrent_layers(network: keras.Model) -> list[RNN]:
    """Return the recurrent layers of a network of `build_network`, the lowest first."""
    return [layer for layer in network.layers if isinstance(layer, RNN)]


def read(network: keras.Model, number: int, states: Any) -> Any:
    """Return what is read of the states (..., H) of the layer of this number, counted from 1: h or phi(h)."""
    name = _name(READ, number)
    reads = any(layer.name == name for layer in network.layers)
    return network.get_layer(name)(states) if reads else states


def read_out(network: keras.Model, states: Any) -> Any:
    """Return the outputs of a network of `build_network` for states h of its highest layer, (..., O)."""
    return network.get_layer(READOUT)(read(network, len(recurrent_layers(network)), states))


def _name(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}_{number}"
