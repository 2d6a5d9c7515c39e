"""All ln ||dl_b/dh_t|| of a batch from one backward pass, against PyTorch's loop that retains gradients."""

import statistics
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import timing
from benchmarks.work import Shape, Train, batch_of
from rnnexp import tasks
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.losses import sequence_losses
from rnnexp.nn.network import build_network
from rnnexp.nn.taps import recording

SHAPE = Shape(200, 32, 32)


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """Return milliseconds of each and the ratio, PyTorch's over ours.

    Raises:
        ImportError: PyTorch is not installed.
    """
    taken = timing.paired({"rnnexp": _ours(SHAPE), "torch": _torch(SHAPE)}, seconds, rounds)
    return {
        "rounds": rounds,
        "shape": list(SHAPE),
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in taken.items()},
        "ratio": timing.median_ratio(taken["torch"], taken["rnnexp"]),
    }


def _ours(shape: Shape) -> Train:
    task = tasks.Adding(shape.steps)
    network = build_network(task, ElmanCell(shape.units), seed=0)
    batch = batch_of(shape)
    x, y = tf.constant(batch.x), tf.constant(batch.y)

    @tf.function(jit_compile=True)
    def differentiate(x, y):
        with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
            loss = tf.reduce_sum(sequence_losses(task.loss, y, network(x)))
        return tape.gradient(loss, (network.trainable_variables, record.taps))

    def run(count: int) -> None:
        for _ in range(count):
            _, log_norms = differentiate(x, y)
        for norms in log_norms.values():
            np.asarray(norms)

    return run


def _torch(shape: Shape) -> Train:
    import torch

    batch = batch_of(shape)
    x, y = torch.from_numpy(batch.x), torch.from_numpy(batch.y)
    cell, readout = torch.nn.RNNCell(2, shape.units), torch.nn.Linear(shape.units, 1)

    def run(count: int) -> None:
        for _ in range(count):
            state, states = torch.zeros(shape.batch_size, shape.units), []
            for t in range(shape.steps):
                state = cell(x[:, t], state)
                state.retain_grad()
                states.append(state)
            torch.sum((readout(state) - y) ** 2).backward()
            torch.log(torch.stack([state.grad.norm(dim=1) for state in states]))
            cell.zero_grad()
            readout.zero_grad()

    return run
