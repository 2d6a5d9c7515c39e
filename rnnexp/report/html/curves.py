"""Curves of a group: the median and the range over its seeds."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from rnnexp.plotting import arrays as run_arrays
from rnnexp.plotting import style
from rnnexp.plotting.gradient_profile import ratio_by_lag

_POINTS = 100
_CLIP_BINS = 50
_MEMBERS = (
    *("steps", "loss", "clipped", "start_log_norm", "end_log_norm"),
    *("validation_steps", "validation_loss"),
)

_OF_LENGTHS = ("lengths", "length_error", "length_floor_error", "criterion", "trained_lengths")

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Band:
    """Curves of several seeds: the median, lowest and highest value at each `x`; nan if there is none."""

    x: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Generalization(NamedTuple):
    """The errors of trained networks at other lengths.

    Attributes:
        error: By length, over seeds.
        floor_error: The best constant predictor's, at the same lengths.
        criterion: The error under which the task counts as solved; nan where there is none.
        trained: The shortest and the longest length of training.
    """

    error: Band
    floor_error: np.ndarray
    criterion: float
    trained: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Curves:
    """The curves of a group, from the arrays of its runs.

    Attributes:
        start: log10 of ||dl/dh_t|| over ||dl/dh_T|| by lag T - t, before training.
        end: The same at the end.
        loss: Training loss over steps, medians of at most 100 blocks.
        validation: Step numbers and mean validation losses.
        clipped: Share of clipped updates in each of 50 parts of the run.
        diverged: (step, last finite loss) of every run that diverged.
        generalization: Where the runs were scored at other lengths; else None.
    """

    start: Band
    end: Band
    loss: Band
    validation: tuple[np.ndarray, np.ndarray]
    clipped: np.ndarray
    diverged: list[tuple[int, float]]
    generalization: Generalization | None = None


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of a run's `gradient_flow.npz` that a page needs.

    Raises:
        ArgumentError: The file is damaged.
    """
    return run_arrays.read_arrays(path, _MEMBERS, also=_OF_LENGTHS)


def group_curves(arrays: Sequence[Arrays], diverged_at: Sequence[int | None]) -> Curves:
    """Return the curves of a group.

    Args:
        arrays: Of each run.
        diverged_at: Of each run.
    """
    last = max((int(run["steps"].max()) for run in arrays if run["steps"].size), default=0)
    parts = min(_POINTS, max((run["steps"].size for run in arrays), default=0))
    edges = np.linspace(0, last + 1, max(parts, 1) + 1)
    losses = [_blocks(run["steps"], run["loss"], edges) for run in arrays]
    return Curves(
        start=over_seeds(_profiles(arrays, "start_log_norm")),
        end=over_seeds(_profiles(arrays, "end_log_norm")),
        loss=over_seeds(losses, (edges[:-1] + edges[1:]) / 2),
        validation=_validation(arrays),
        clipped=_clipped(arrays, last),
        diverged=[
            (int(step), _last_finite(loss))
            for step, loss in zip(diverged_at, losses, strict=True)
            if step is not None and math.isfinite(step)
        ],
        generalization=_generalization(arrays),
    )


def _generalization(arrays: Sequence[Arrays]) -> Generalization | None:
    """Of the runs that were scored; one that diverged was not."""
    scored = [run for run in arrays if "lengths" in run]
    if not scored:
        return None
    first = scored[0]
    low, high = first["trained_lengths"].tolist()
    return Generalization(
        over_seeds([run["length_error"] for run in scored], first["lengths"]),
        first["length_floor_error"],
        float(first["criterion"]),
        (low, high),
    )


def over_seeds(curves: Sequence[np.ndarray], x: np.ndarray | None = None) -> Band:
    """Return the median and the range of curves of one length; what is not finite does not count."""
    values = np.stack(curves)
    values = np.where(np.isfinite(values), values, np.nan)
    x = np.arange(values.shape[1]) if x is None else x
    frame = pd.DataFrame(values)
    middle, low, high = (found.to_numpy(np.float64) for found in (frame.median(), frame.min(), frame.max()))
    return Band(x, middle, low, high)


def _profiles(arrays: Sequence[Arrays], name: str) -> list[np.ndarray]:
    return [ratio_by_lag(name, run[name] * style.NATS_TO_DECADES) for run in arrays]


def _blocks(train_steps: np.ndarray, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the median of the finite values between each two edges, nan where there is none."""
    finite = np.isfinite(values)
    places = np.searchsorted(edges, train_steps[finite], side="right") - 1
    medians = pd.Series(values[finite]).groupby(places).median()
    return medians.reindex(range(len(edges) - 1)).to_numpy(np.float64)


def _validation(arrays: Sequence[Arrays]) -> tuple[np.ndarray, np.ndarray]:
    train_steps = np.concatenate([run["validation_steps"] for run in arrays])
    losses = pd.Series(np.concatenate([run["validation_loss"] for run in arrays]))
    means = losses[np.isfinite(losses)].groupby(train_steps[np.isfinite(losses)]).mean()
    return means.index.to_numpy(), means.to_numpy(np.float64)


def _clipped(arrays: Sequence[Arrays], last: int) -> np.ndarray:
    train_steps = np.concatenate([run["steps"] for run in arrays])
    clipped = np.concatenate([run["clipped"] for run in arrays]).astype(np.float64)
    places = train_steps * _CLIP_BINS // (last + 1)
    return pd.Series(clipped).groupby(places).mean().reindex(range(_CLIP_BINS)).to_numpy(np.float64)


def _last_finite(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan
