"""The state of a training run in one file, replaced as a whole."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from rnnexp.steering import History
from rnnexp.training import Recorded, RecordingModel

_RECORD = [field.name for field in dataclasses.fields(Recorded)]


def save(path: Path, model: RecordingModel, history: History, validations: np.ndarray) -> None:
    """Write weights, optimizer state, step, history and the validations so far, (M, columns).

    The file is written beside `path` and then renamed, so that a kill leaves either the old or the new one.
    """
    arrays: dict[str, np.ndarray] = {f"variable_{i}": np.asarray(v) for i, v in enumerate(_variables(model))}
    arrays |= {name: getattr(history.kept, name) for name in _RECORD}
    arrays |= {"clipped": np.array(history.clipped), "seconds": np.array(history.seconds)}
    arrays |= {"steps_taken": np.array(model.steps_taken), "validations": validations}
    beside = path.with_suffix(".partial")
    with beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes the names for flags
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path, model: RecordingModel) -> tuple[History, np.ndarray]:
    """Put the state of `path` into `model`; return the history and the validations.

    Raises:
        ValueError: The file holds the variables of another model.
    """
    with np.load(path, allow_pickle=False) as arrays:
        variables = _variables(model)
        if f"variable_{len(variables) - 1}" not in arrays or f"variable_{len(variables)}" in arrays:
            raise ValueError(f"{path}: expected the {len(variables)} variables of this model")
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"variable_{i}"])
        model.steps_taken = int(arrays["steps_taken"])
        kept = Recorded(**{name: arrays[name] for name in _RECORD})
        return History(kept, int(arrays["clipped"]), float(arrays["seconds"])), arrays["validations"]


def _variables(model: RecordingModel) -> list:
    model.optimizer.build(model.network.trainable_variables)
    return [*model.network.variables, *model.optimizer.variables]
