"""Draws the figures of a run from the files in its folder alone."""

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
from rnnexp.runtime.checks import ArgumentError, choice
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

_OF_ALL_LAYERS = ("gradient_profile", "loss", "lengths")
"""The figures that are of all recurrent layers; the title of the others says that they are of the lowest."""

FORMATS = ("png", "svg", "pdf")
"""The formats in which figures are written; each is the suffix of its files."""


def catalogue() -> dict[str, Draw]:
    """Return the drawing function of every figure by its name: figures over training, and of the probes.

    The figure of a probe has the probe's name; the function `draw` of the module of that name here draws it.
    """
    of_probes = [probe.name for probe in PROBES if probe.has_figure]
    return {
        **OF_TRAINING,
        **{name: importlib.import_module(f"rnnexp.plotting.{name}").draw for name in of_probes},
    }


class Drawn(NamedTuple):
    """The result of drawing the figures of a run.

    Attributes:
        paths: The files.
        lacking: Figure that was not drawn -> an array that it needs and the run does not have, because an
            older version recorded the run, or the quantity is not defined for its cell.
    """

    paths: list[Path]
    lacking: dict[str, str]


def draw_run(folder: Path, into: Path | None = None, form: str = "png") -> Drawn:
    """Draw all figures of the run in `folder`, each from the arrays in it.

    Args:
        folder: Of the run: `gradient_flow.npz`, and `run.json` with its name.
        into: A folder for the figures, made if necessary; None: `figures` in the folder of the run.
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
                draw(arrays, path, _with_layer(title, name, arrays))
                drawn.paths.append(path)
        except MissingArray as error:
            drawn.lacking[name] = error.array
    return drawn


def draw_one(name: str, arrays: Arrays, path: Path, title: str, of_task: Arrays | None = None) -> None:
    """Draw one figure of a run to `path`, whose suffix is its format.

    Args:
        name: Of the figure: one of `catalogue()` or `OF_LENGTHS`, or that of the task.
        arrays: Of the run.
        path: The file; its folder is made.
        title: Above the figure.
        of_task: Of `task.npz`, where the run has it.

    Raises:
        ArgumentError: There is no such figure, or the run has not what it is drawn from.
        OSError: It cannot be written.
    """
    task = "" if of_task is None else str(of_task.get("figure", ""))
    drawn_from = of_task if name == task and of_task is not None else arrays
    known = {**catalogue(), **OF_LENGTHS, **({task: OF_TASKS[task]} if task in OF_TASKS else {})}
    draw = known[choice("figure", name, tuple(known))]
    if name in OF_TRAINING and not arrays.trained:
        raise ArgumentError("figure", "one that a run without training steps has", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        draw(drawn_from, path, _with_layer(title, name, drawn_from))
    except MissingArray as error:
        expected = f"one that the run has the arrays of (it has no {error.array})"
        raise ArgumentError("figure", expected, name) from None


def _with_layer(title: str, name: str, arrays: Arrays) -> str:
    return f"{title}, layer 1" if arrays.upper_layers and name not in _OF_ALL_LAYERS else title


def _of_task(file: Path, title: str, into: Path, form: str) -> list[Path]:
    """Draw the figure of the task, if it has one."""
    name = str(read_arrays(file).get("figure", "")) if file.is_file() else ""
    if name not in OF_TASKS:
        return []
    path = into / f"{name}.{form}"
    OF_TASKS[name](read_arrays(file), path, title)
    return [path]
