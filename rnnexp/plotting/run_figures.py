"""The figures of a run, drawn from nothing but its folder."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from rnnexp.plotting.arrays import FILE, Arrays, MissingArray, read_arrays
from rnnexp.plotting.forecast import draw as draw_forecast
from rnnexp.plotting.gradient_heatmap import draw as draw_gradient_heatmap
from rnnexp.plotting.lengths import draw as draw_lengths
from rnnexp.plotting.loss import draw as draw_loss
from rnnexp.plotting.spectrum_history import draw as draw_spectrum_history
from rnnexp.probes.catalogue import PROBES
from rnnexp.runtime.json_file import StateFile

Draw = Callable[[Arrays, Path, str], None]
"""Draws arrays to a path under a title."""

OF_TRAINING: Mapping[str, Draw] = {
    "loss": draw_loss,
    "gradient_heatmap": draw_gradient_heatmap,
    "spectrum_history": draw_spectrum_history,
}
"""The figures over training, which a run without training steps does not have."""

OF_LENGTHS: Mapping[str, Draw] = {"lengths": draw_lengths}
"""The figures of a run that was scored at other lengths."""

OF_TASKS: Mapping[str, Draw] = {"forecast": draw_forecast}
"""The figures of tasks, drawn from `task.npz`, whose array `figure` is the name of the one to draw."""

FORMATS = ("png", "svg", "pdf")
"""The formats in which figures are written; each is the suffix of its files."""


def catalogue() -> dict[str, Draw]:
    """Return how every figure is drawn, by its name: those over training, and those of the probes.

    The figure of a probe has its name, and is drawn by the function `draw` of the module of that name here.
    """
    of_probes = [probe.name for probe in PROBES if probe.has_figure]
    return {
        **OF_TRAINING,
        **{name: importlib.import_module(f"rnnexp.plotting.{name}").draw for name in of_probes},
    }


class Drawn(NamedTuple):
    """What came of drawing.

    Attributes:
        paths: The files.
        lacking: Figure -> an array that it needs and the run does not have: the run was recorded before there
            was one, or the quantity is not defined for its cell.
    """

    paths: list[Path]
    lacking: dict[str, str]


def draw_run(folder: Path, into: Path | None = None, form: str = "png") -> Drawn:
    """Draw all figures of the run in `folder`, each from the arrays in it.

    Args:
        folder: Of the run: `gradient_flow.npz`, and `run.json` with its name.
        into: A folder for the figures, made if it is absent; None: `figures` in that of the run.
        form: One of `FORMATS`.

    Raises:
        ArgumentError: The arrays are not there or damaged.
        OSError: A figure cannot be written.
    """
    title = str(StateFile(folder / "run.json").read().get("name", folder.name))
    into = folder / "figures" if into is None else into
    drawn = draw_figures(read_arrays(folder / FILE), title, into, form)
    return drawn._replace(paths=[*drawn.paths, *_of_task(folder / "task.npz", title, into, form)])


def draw_figures(arrays: Arrays, title: str, into: Path, form: str = "png") -> Drawn:
    """Draw all figures of a run's arrays under `title` (see `draw_run`)."""
    into.mkdir(parents=True, exist_ok=True)
    drawn = Drawn([], {})
    of_lengths = OF_LENGTHS if "lengths" in arrays else {}
    for name, draw in {**catalogue(), **of_lengths}.items():
        path = into / f"{name}.{form}"
        try:
            if arrays.trained or name not in OF_TRAINING:
                draw(arrays, path, title)
                drawn.paths.append(path)
        except MissingArray as error:
            drawn.lacking[name] = error.array
    return drawn


def _of_task(file: Path, title: str, into: Path, form: str) -> list[Path]:
    """Draw the figure of the task, if it has one."""
    name = str(read_arrays(file).get("figure", "")) if file.is_file() else ""
    if name not in OF_TASKS:
        return []
    path = into / f"{name}.{form}"
    OF_TASKS[name](read_arrays(file), path, title)
    return [path]
