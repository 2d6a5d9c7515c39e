"""The parts of a replica, built from its plan: network, model under training, measurer."""

import dataclasses
from typing import Any

import keras

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.initializers import GlorotUniform, Normal
from rnnexp.nn.network import build_network
from rnnexp.training.config import Plan
from rnnexp.training.model import RecordingModel

_BUFFER = 50  # steps between reads of the record: often enough for the display, at hardly any cost
_OTHER_SEEDS = 2**33  # distance between the seeds of two layers, beyond 3 * seed + 2 of any seed of a run


def network_of(plan: Plan, dtype: str) -> keras.Model:
    """Return a new network with its initial weights."""
    any_length = plan.lengths is not None or len(plan.evaluate_at) > 0
    ways: dict[str, Any] = {"segment": plan.segment, "truncate": plan.truncate, "any_length": any_length}
    cell, *above = (_cell(plan, dtype, _OTHER_SEEDS * place) for place in range(plan.layers))
    return build_network(plan.task, cell, seed=3 * plan.seed + 2, above=above, **ways)


def _cell(plan: Plan, dtype: str, distance: int) -> keras.layers.Layer:
    # Each weight has its own seed: initialisers with equal seeds draw the same numbers.
    deviation, seed = plan.input_deviation, 3 * plan.seed + distance
    kernel = GlorotUniform(seed=seed) if deviation is None else Normal(deviation, seed)
    recurrent = plan.initializer.apart(distance) if distance else plan.initializer
    return plan.cell.build(plan.units, plan.activation, kernel, recurrent, dtype)


def model_of(plan: Plan, network: keras.Model) -> RecordingModel:
    """Return the model that trains `network`, compiled."""
    rows = plan.steps_per_execution * max(1, _BUFFER // plan.steps_per_execution)
    model = RecordingModel(
        network,
        plan.task.loss,
        plan.clip,
        time_steps=plan.recorded_steps,
        rows=rows,
        layers=plan.layers,
        shards=plan.shards,
        regularizer=plan.regularizer,
        constraint=plan.constraint,
    )
    model.compile(optimizer=_optimizer(plan), jit_compile=plan.jit)
    return model


def measurer_of(plan: Plan) -> Measurer:
    """Return what measures such a network, on the probe batch."""
    batch = plan.task.batch(plan.seed, "probe", 0, plan.probe_batch_size)
    # What is measured is the whole gradient, and beside it what is cut.
    twin = network_of(dataclasses.replace(plan, truncate=None), "float64")
    truncated = None if plan.truncate is None else network_of(plan, "float64")
    return Measurer(
        twin, plan.cell, plan.activation, plan.task.loss, batch, plan.bootstrap, plan.probes, truncated
    )


def _optimizer(plan: Plan) -> keras.optimizers.Optimizer:
    optimizer = plan.optimizer.build()
    schedule = plan.schedule.build(plan.optimizer.learning_rate, plan.train_steps)
    if schedule is not None:
        optimizer.learning_rate = schedule
    return optimizer
