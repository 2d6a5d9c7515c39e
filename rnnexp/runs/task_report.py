"""The report of the task on the trained network: sentences, numbers and arrays."""

import functools
from typing import Any

import keras
import numpy as np

from rnnexp.runs.run_context import OpenRun
from rnnexp.tasks import Task
from rnnexp.tracking import points

_BATCH = 500
"""Sequences a forward pass."""


def report(run: OpenRun, network: keras.Model, step: int) -> tuple[str, ...]:
    """Record the task's report on the network and return its sentences; most tasks have none.

    Args:
        run: The run; `task.npz` and `task.txt` are written to its folder.
        network: The trained network.
        step: Updates taken.
    """
    task, folder, tracker = run.job.plan.task, run.folder, run.tracker
    # Tasks without a report are skipped, since the predictions take as long as a validation.
    if type(task).report is Task.report:
        return ()
    found = task.report(functools.partial(_predict, network))
    if found is None:
        return ()
    arrays: dict[str, Any] = dict(found.arrays)
    if found.figure is not None:
        arrays["figure"] = np.array(found.figure)
    np.savez_compressed(folder.path / "task.npz", **arrays)
    words = folder.path / "task.txt"
    words.write_text("".join(f"{sentence}\n" for sentence in found.sentences), encoding="utf-8")
    tracker.artifact(words)
    tracker.metrics(points({k: v for k, v in found.metrics.items() if np.isfinite(v)}, step))
    return found.sentences


def _predict(network: keras.Model, x: np.ndarray) -> np.ndarray:
    dtype = network.inputs[0].dtype
    parts = [network(x[start : start + _BATCH].astype(dtype)) for start in range(0, len(x), _BATCH)]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])
