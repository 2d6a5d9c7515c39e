"""The state of a training run in one file, replaced as a whole."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from rnnexp.runtime import npz_file
from rnnexp.runtime.checks import ArgumentError
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import History, Recorded

_FIELDS = (
    *("steps_taken", "steps", "log_norms", "scalars", "clipped", "seconds", "diverged_at"),
    *("validations", "spectra"),
)
"""The arrays of a checkpoint beside the variables."""

_PHASE = "before_"
"""Prefix of the arrays of a phase beside the task; without a phase there are none."""

_UPPER = "log_norms_layer_{}"
"""The arrays of the layers above the lowest, from 2 on; there are none of a network of one layer."""

_NONE = -1
"""What stands for None where a step number is stored."""

_WHOLE = "a whole checkpoint (remove this one, and the run begins anew in its folder)"


def save(
    path: Path,
    model: RecordingModel,
    history: History,
    validations: np.ndarray,
    spectra: np.ndarray,
    phase: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write weights, step, history, the tables of validations and spectra, and all state of the training.

    The state is that of optimizer, clip and constraint. A phase beside the task adds its own.

    The file is written beside `path` and then renamed, so that after a kill there is either the old file or
    the new one. Steps recorded after the last `RecordingCallback.read` are not part of it.

    Raises:
        OSError: The file could not be written; the old one is as it was.
    """
    kept, diverged_at = history.kept, history.diverged_at
    arrays = {
        **{f"variable_{i}": np.asarray(value) for i, value in enumerate(_variables(model))},
        "steps_taken": np.array(model.steps_taken),
        "steps": kept.train_steps,
        "log_norms": kept.log_norms,
        **{_UPPER.format(number): norms for number, norms in enumerate(kept.upper, start=2)},
        "scalars": kept.scalars,
        "clipped": np.array(history.clipped),
        "seconds": np.array(history.seconds),
        "diverged_at": np.array(_NONE if diverged_at is None else diverged_at),
        "validations": validations,
        "spectra": spectra,
        # A slash in a name would make a folder in the archive.
        **{_PHASE + name.replace("/", "-"): np.asarray(value) for name, value in phase.items()},
    }
    beside = path.with_suffix(".partial")
    with beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes the names for flags
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path, model: RecordingModel) -> tuple[History, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Put the state of `path` into `model`; return history, validations, spectra, and the state of the phase.

    The last is that of a phase beside the task, empty where there is none.

    Raises:
        FileNotFoundError: There is no such file.
        ArgumentError: The file is damaged, or of another model; `model` is as it was.
    """
    arrays = _read(path)
    variables = _variables(model)
    values = [arrays.get(f"variable_{i}") for i in range(len(variables) + 1)]
    stored = [None if value is None else (value.shape, str(value.dtype)) for value in values]
    expected = [*((tuple(variable.shape), variable.dtype) for variable in variables), None]
    if stored != expected or arrays["log_norms"].shape[1] != model.time_steps:
        raise ArgumentError("resume", f"a checkpoint of this model, {len(variables)} variables", str(path))
    for variable, value in zip(variables, values, strict=False):
        variable.assign(value)
    model.steps_taken = int(arrays["steps_taken"])
    upper = tuple(arrays[_UPPER.format(number)] for number in range(2, model.recorded_layers + 1))
    kept = Recorded(arrays["steps"], arrays["log_norms"], arrays["scalars"], upper)
    diverged_at = int(arrays["diverged_at"])
    history = History(
        kept,
        int(arrays["clipped"]),
        float(arrays["seconds"]),
        None if diverged_at == _NONE else diverged_at,
    )
    prefixed = {name: value for name, value in arrays.items() if name.startswith(_PHASE)}
    phase = {name.removeprefix(_PHASE).replace("-", "/"): value for name, value in prefixed.items()}
    return history, arrays["validations"], arrays["spectra"], phase


def steps_in(path: Path) -> int:
    """Return the number of updates that the checkpoint at `path` was taken after.

    Raises:
        FileNotFoundError: There is no such file.
        ArgumentError: The file is damaged.
    """
    return int(_read(path)["steps_taken"])


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read the whole file, so that all of its checksums are verified."""
    try:
        arrays = npz_file.read(path)
    except npz_file.DamagedFile as error:
        raise ArgumentError("resume", _WHOLE, str(path)) from error
    if not arrays.keys() >= set(_FIELDS):
        raise ArgumentError("resume", _WHOLE, str(path))
    return arrays


def _variables(model: RecordingModel) -> list:
    """Return the variables of network, optimizer, clip and constraint."""
    state = [*model.clip_state, *model.bound.state]
    return [*model.network.variables, *model.optimizer.variables, *state]
