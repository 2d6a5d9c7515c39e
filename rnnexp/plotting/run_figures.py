"""Draws the figures of a run from the files in its folder alone."""

import importlib
from pathlib import Path
from typing import NamedTuple

from rnnexp.plotting.arrays import FILE, Arrays, MissingArray, read_arrays
from rnnexp.probes.catalogue import PROBES
from rnnexp.runtime.checks import ArgumentError, choice
from rnnexp.runtime.json_file import StateFile

OF_TRAINING = ("loss", "gradient_heatmap", "spectrum_history")
"""The figures over training, which a run without training steps does not have."""

OF_LENGTHS = ("lengths",)
"""The figures of a run that was scored at other lengths."""

OF_TASKS = ("forecast",)
"""The figures of tasks, drawn from `task.npz`, whose array `figure` is the name of the one to draw."""

_OF_ALL_LAYERS = ("gradient_profile", "loss", "lengths")
"""The figures that are of all recurrent layers; the title of the others says that they are of the lowest."""

FORMATS = ("png", "svg", "pdf")
"""The formats in which figures are written; each is the suffix of its files."""


def catalogue() -> list[str]:
    """Return the names of the figures that a trained run has: those over training, and those of probes.

    A figure is drawn by the function `draw` of the module of its name here; that of a probe has its name.
    """
    return [*OF_TRAINING, *(probe.name for probe in PROBES if probe.has_figure)]


class Recorded(NamedTuple):
    """What the figures of a run are drawn from: its arrays, its name, and those of `task.npz` if any."""

    arrays: Arrays
    name: str
    of_task: Arrays | None = None

    def figures(self) -> dict[str, Arrays]:
        """Return the figures that it may have, with the arrays that each is drawn from."""
        found = dict.fromkeys([*catalogue(), *OF_LENGTHS], self.arrays)
        task = "" if self.of_task is None else str(self.of_task.get("figure", ""))
        return found | {task: self.of_task} if self.of_task is not None and task in OF_TASKS else found

    def draw(self, figure: str, path: Path) -> None:
        """Draw one of its figures under its name.

        Raises:
            MissingArray: It has not all arrays of the figure.
            OSError: The file cannot be written.
        """
        arrays = self.figures()[figure]
        of_one_layer = arrays.upper_layers and figure not in _OF_ALL_LAYERS
        draw = importlib.import_module(f"rnnexp.plotting.{figure}").draw
        draw(arrays, path, f"{self.name}, layer 1" if of_one_layer else self.name)


class Drawn(NamedTuple):
    """The result of drawing the figures of a run.

    Attributes:
        paths: The files.
        lacking: Figure that was not drawn -> an array that it needs and the run does not have, because an
            older version recorded the run, or the quantity is not defined for its cell.
    """

    paths: list[Path]
    lacking: dict[str, str]


def read_run(folder: Path) -> Recorded:
    """Return what the figures of the run in `folder` are drawn from.

    Raises:
        ArgumentError: The arrays are not there or damaged.
    """
    arrays, task = read_arrays(folder / FILE), folder / "task.npz"
    name = str(StateFile(folder / "run.json").read().get("name", folder.name))
    return Recorded(arrays, name, read_arrays(task) if task.is_file() else None)


def draw_figures(run: Recorded, into: Path, form: str = "png") -> Drawn:
    """Draw all figures of a run.

    Args:
        run: From `read_run`.
        into: A folder for the figures, made if necessary.
        form: One of `FORMATS`.

    Raises:
        OSError: A figure cannot be written.
    """
    into.mkdir(parents=True, exist_ok=True)
    drawn = Drawn([], {})
    for figure in run.figures():
        if figure in OF_TRAINING and not run.arrays.trained:
            continue
        if figure in OF_LENGTHS and "lengths" not in run.arrays:
            continue
        path = into / f"{figure}.{form}"
        try:
            run.draw(figure, path)
            drawn.paths.append(path)
        except MissingArray as error:
            drawn.lacking[figure] = error.array
    return drawn


def draw_one(run: Recorded, figure: str, path: Path) -> None:
    """Draw one figure of a run to `path`, whose suffix is its format and whose folder is made.

    Raises:
        ArgumentError: There is no such figure, or the run has not what it is drawn from.
        OSError: It cannot be written.
    """
    choice("figure", figure, tuple(run.figures()))
    if figure in OF_TRAINING and not run.arrays.trained:
        raise ArgumentError("figure", "one that a run without training steps has", figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        run.draw(figure, path)
    except MissingArray as error:
        expected = f"one that the run has the arrays of (it has no {error.array})"
        raise ArgumentError("figure", expected, figure) from None
