"""The contestants: functions that take n training steps of one and the same work, each library at its best.

All of them train h_t = tanh(W_xh^T x_t + W_hh^T h_{t-1} + b), y = W_hy^T h_T + c on the adding task's shape
with Adam and the mean squared error, from the same batch, and return when the last update is done.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from benchmarks.work import Shape, Train, batch_of
from rnnexp import tasks
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import NoClip
from rnnexp.runs import heuristics
from rnnexp.training.data import stacked, untuned
from rnnexp.training.model import RecordingModel

_EXECUTION = 10  # steps between returns to Python, the same for every Keras contestant


def parts_of(shape: Shape) -> int:
    """Return the parts in which a run differentiates a batch: a GPU takes the whole of it at once."""
    gpu = tf.config.get_visible_devices("GPU")
    return 1 if gpu else heuristics.parts_of_batch(shape.batch_size, shape.units)


def rnnexp_fit(shape: Shape, *, record: bool, jit: bool = True, parts: int | None = None) -> Train:
    """`fit` of this project's network, under XLA or not, with or without recording, in parts as a run."""
    task = tasks.Adding(shape.steps)
    network = build_network(task, ElmanCell(shape.units), seed=0)
    parts = parts_of(shape) if parts is None else parts
    model = RecordingModel(network, task.loss, NoClip(), time_steps=shape.steps, record=record, shards=parts)
    model.compile(optimizer="adam", jit_compile=jit)
    return _fit(model, stacked([batch_of(shape)] * _EXECUTION, _EXECUTION, "float32"), _EXECUTION)


def keras_fit(shape: Shape, *, jit: bool) -> Train:
    """`fit` of a stock `keras.layers.SimpleRNN`, which records nothing."""
    model = keras.Sequential(
        [keras.Input((shape.steps, 2)), keras.layers.SimpleRNN(shape.units), keras.layers.Dense(1)]
    )
    model.compile(optimizer="adam", loss="mse", jit_compile=jit, steps_per_execution=_EXECUTION)
    return _fit(model, batch_of(shape))


def _fit(model: keras.Model, element: Sequence[np.ndarray], batches: int = 1) -> Train:
    """Return what trains on the same element of data, of so many batches, again and again."""
    # Tuned, every contestant would take the tuner's time, 0.15 s or 0.31 s, where its steps take less.
    data = untuned(tf.data.Dataset.from_tensors(tuple(map(tf.constant, element))))

    def train(steps: int) -> None:
        model.fit(data.repeat(steps // batches), epochs=1, verbose=0, shuffle=False)
        # The update may still be under way when fit returns.
        np.asarray(model.trainable_variables[0])

    return train
