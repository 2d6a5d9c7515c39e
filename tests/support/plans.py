"""A small plan, of which a test says only what matters to it."""

from typing import Any

from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.initializers import Orthogonal
from rnnexp.optim.clipping import NoClip
from rnnexp.optim.constraints import NoConstraint
from rnnexp.optim.optimizers import Adam
from rnnexp.optim.regularizers import NoRegularizer
from rnnexp.optim.schedules import NoSchedule
from rnnexp.tasks import Adding
from rnnexp.training.config import Plan
from rnnexp.training.phases import NoPhase


def small_plan(**changes: Any) -> Plan:
    """Return a plan over 12 steps of sequence and of training, with `changes`."""
    fields: dict[str, Any] = {
        "task": Adding(12),
        "cell": Elman(),
        "initializer": Orthogonal(seed=1),
        "clip": NoClip(),
        "optimizer": Adam(learning_rate=0.01),
        "activation": "tanh",
        "units": 6,
        "batch_size": 4,
        "train_steps": 12,
        "seed": 0,
        "dtype": "float32",
        "device": "auto",
        "jit": False,
        "shards": 1,
        "segment": None,
        "steps_per_execution": 2,
        "record_every": 1,
        "probe_every": 4,
        "probe_batch_size": 4,
        "bootstrap": 20,
        "validation_every": 4,
        "validation_sequences": 500,
        "checkpoint_every": 3,
        "decades": 3.0,
        "probes": (),
        "regularizer": NoRegularizer(),
        "constraint": NoConstraint(),
        "schedule": NoSchedule(),
        "phase": NoPhase(),
        "input_deviation": None,
        "stop": "steps",
        "truncate": None,
        "lengths": None,
        "evaluate_at": (),
        "layers": 1,
    }
    return Plan(**fields | changes)
