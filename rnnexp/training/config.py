"""The plan of a training run: the configuration as typed values and constructed objects."""

import dataclasses
from typing import Any, Literal

from rnnexp.nn.cells.spec import CellSpec
from rnnexp.nn.initializers import Initializer
from rnnexp.optim.clipping import Clip
from rnnexp.optim.constraints import Constraint
from rnnexp.optim.optimizers import Optimizer
from rnnexp.optim.regularizers import Regularizer
from rnnexp.optim.schedules import Schedule
from rnnexp.probes.probe import Probe
from rnnexp.tasks import Lengths, Task
from rnnexp.training.phases import PhaseSpec


@dataclasses.dataclass(frozen=True)
class Plan:
    """One training run. All objects are made and checked before TensorFlow is imported.

    Attributes:
        task: What is learned.
        cell: The kind of cell, with its arguments beside `units`, `activation` and `initializer`.
        initializer: Of W_hh; of a gated cell, of every block.
        clip: Of the gradients.
        optimizer: The update rule.
        activation: Name of phi.
        units: H, of every layer.
        batch_size: B.
        train_steps: Training steps; 0 measures the start only.
        seed: Of weights and data.
        dtype: `"float32"` or `"float64"`.
        device: `"auto"`, `"cpu"` or `"gpu"`.
        jit: Whether training steps are compiled by XLA.
        shards: Equal parts of a batch that are differentiated side by side.
        segment: Time steps whose states the scan holds in memory at a time; None: all.
        steps_per_execution: Training steps between returns to Python.
        record_every: Training steps between recorded gradient profiles.
        probe_every: Training steps between measurements.
        probe_batch_size: Samples that a measurement looks at.
        bootstrap: Resamples behind the intervals.
        validation_every: Training steps between validations.
        validation_sequences: Sequences of a validation during training; the last validation uses all.
        checkpoint_every: Training steps between checkpoints; 0: none.
        decades: D of the gradient verdict.
        probes: The user's own probes, measured beside those of `rnnexp.probes.catalogue`.
        regularizer: The term that is added to the loss of the task.
        constraint: The set in which the weights stay.
        schedule: The course of the learning rate.
        phase: The phase of training before that of the task, and at intervals.
        input_deviation: The standard deviation of the Gaussian entries of W_xh; None: Glorot uniform.
        stop: When training ends, unless it diverges: `"steps"`, after `train_steps`; `"solved"`, at the first
            validation that finds the task solved, after `train_steps` at the latest.
        truncate: K of truncated back-propagation; None: the gradient goes back to the first step.
        lengths: Of the batches; None: all have that of `task`. Looks and validations are at that one.
        evaluate_at: The task at other lengths, at which the trained network is scored.
        layers: L, recurrent layers one upon the other.
    """

    task: Task
    cell: CellSpec
    initializer: Initializer
    clip: Clip
    optimizer: Optimizer
    activation: str
    units: int
    batch_size: int
    train_steps: int
    seed: int
    dtype: str
    device: str
    jit: bool
    shards: int
    segment: int | None
    steps_per_execution: int
    record_every: int
    probe_every: int
    probe_batch_size: int
    bootstrap: int
    validation_every: int
    validation_sequences: int
    checkpoint_every: int
    decades: float
    probes: tuple[Probe[Any], ...]
    regularizer: Regularizer
    constraint: Constraint
    schedule: Schedule
    phase: PhaseSpec
    input_deviation: float | None
    stop: Literal["steps", "solved"]
    truncate: int | None
    lengths: Lengths | None
    evaluate_at: tuple[Task, ...]
    layers: int

    @property
    def recorded_steps(self) -> int:
        """T of the tensors that are trained on, which the record of a training step has."""
        return self.task.time_steps if self.lengths is None else self.lengths.time_steps
