"""The network of a run: one recurrent layer and a linear readout, as a plain Keras model."""

from typing import Any

import keras

from rnnexp.nn.initializers import GlorotUniform
from rnnexp.nn.recurrent import RNN
from rnnexp.tasks import Task

RECURRENT = "recurrent"
"""Name of the recurrent layer."""

READOUT = "readout"
"""Name of the readout layer."""


READ = "read"
"""Name of the layer between the two, of a cell whose states are read through phi."""


def build_network(
    task: Task,
    cell: keras.layers.Layer,
    seed: int,
    segment: int | None = None,
    truncate: int | None = None,
    any_length: bool = False,
) -> keras.Model:
    """Return the model x (B, T, F) -> y: (B, O), or (B, T, O) where the task scores every step.

        h_1 .. h_T = RNN(cell)(x),    y_t = W_hy^T h_t + c

    or y_t = W_hy^T phi(h_t) + c where the spec of the cell says so (`read_through_activation`).

    Args:
        task: Determines T, F, O and the scored steps.
        cell: A new recurrent cell. The network has its dtype.
        seed: Of W_hy (H, O), which is Glorot uniform; c (O,) starts at 0. It must differ from the seeds of
            the cell's weights: initialisers with equal seeds draw the same numbers.
        segment: As for `rnnexp.RNN`.
        truncate: As for `rnnexp.RNN`.
        any_length: Whether the network takes sequences of any length, and not of T alone.
    """
    dtype = cell.compute_dtype
    recurrent = RNN(
        cell,
        return_sequences=task.scores_every_step,
        segment=segment,
        truncate=truncate,
        name=RECURRENT,
        dtype=dtype,
    )
    kernel_initializer = GlorotUniform(seed=seed)
    readout = keras.layers.Dense(
        task.output_size, kernel_initializer=kernel_initializer, name=READOUT, dtype=dtype
    )
    inputs = keras.Input((None if any_length else task.time_steps, task.input_size), dtype=dtype)
    states = recurrent(inputs)
    if getattr(getattr(cell, "spec", None), "read_through_activation", False):
        states = keras.layers.Activation(cell.activation, name=READ, dtype=dtype)(states)
    return keras.Model(inputs, readout(states), name="network")


def read_out(network: keras.Model, states: Any) -> Any:
    """Return the outputs of a network of `build_network` for states h, (..., H) -> (..., O)."""
    names = [layer.name for layer in network.layers]
    read = network.get_layer(READ)(states) if READ in names else states
    return network.get_layer(READOUT)(read)
