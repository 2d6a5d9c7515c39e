"""The network of a run: one recurrent layer and a linear readout, as a plain Keras model."""

import keras

from rnnexp.initializers import GlorotUniform
from rnnexp.recurrent import RNN
from rnnexp.tasks import Task

RECURRENT = "recurrent"
"""Name of the recurrent layer."""


def build_network(task: Task, cell: keras.layers.Layer, seed: int) -> keras.Model:
    """Return x (B, T, F) -> y, (B, O) or (B, T, O) where every step is scored.

        h = RNN(cell)(x),    y_t = W_hy^T h_t + c

    W_hy is Glorot uniform under `seed`. The dtype is the cell's.
    """
    inputs = keras.Input((task.steps, task.input_size), dtype=cell.compute_dtype)
    states = RNN(cell, return_sequences=task.scores_every_step, name=RECURRENT, dtype=cell.compute_dtype)(
        inputs
    )
    readout = keras.layers.Dense(
        task.output_size,
        kernel_initializer=GlorotUniform(seed=seed),
        name="readout",
        dtype=cell.compute_dtype,
    )
    return keras.Model(inputs, readout(states), name="network")
