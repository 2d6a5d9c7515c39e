"""Draws the figures of one run again, from its folder or by the id of its run in MLflow."""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import yaml

from rnnexp.analysis import load_runs
from rnnexp.analysis.files import collect_files
from rnnexp.analysis.runs import store_address
from rnnexp.plotting import run_figures as figures
from rnnexp.plotting.arrays import FILE, Arrays, read_arrays
from rnnexp.plotting.run_figures import FORMATS, Drawn, draw_figures, draw_run
from rnnexp.runtime.checks import ArgumentError, choice
from rnnexp.runtime.json_file import StateFile

_MLFLOW_ID = re.compile(r"[0-9a-f]{32}")


class Redrawn(NamedTuple):
    """The folder of the figures of a run, and the result of drawing them."""

    folder: Path
    drawn: Drawn


def is_run(selection: str) -> bool:
    """Return whether that is a folder, or looks like the id of a run in MLflow; else it names a sweep."""
    return Path(selection).is_dir() or _MLFLOW_ID.fullmatch(selection) is not None


def redraw(selection: str, where: str | None, out: Path | None, form: str | None) -> Redrawn:
    """Draw the figures of a run.

    Args:
        selection: The run's folder, or the id of its run in MLflow.
        where: The store that has the id, as `load_runs` takes it.
        out: A folder for the figures; None: `figures` in the run's folder, or in the working folder where
            the run's is not on this machine.
        form: png, svg or pdf; None: what the run is configured with.

    Raises:
        ArgumentError: There is no such run, or its arrays are damaged or those of no figure.
    """
    if Path(selection).is_dir():
        found = _of_folder(Path(selection), out, form)
    else:
        found = _of_mlflow(selection, where, out, form)
    if not found.drawn.paths:
        lacking = ", ".join(dict.fromkeys(found.drawn.lacking.values()))
        expected = f"the arrays that figures are drawn from ({lacking}), which older runs do not have"
        raise ArgumentError(FILE, expected, selection)
    return found


def draw_one(selection: str, where: str | None, name: str, path: Path) -> Path:
    """Draw one figure of a run, named as for `redraw`, to `path`, and return that.

    Raises:
        ArgumentError: There is no such run or figure, or the file cannot be written.
    """
    try:
        if Path(selection).is_dir():
            return _one_of_folder(Path(selection), name, path)
        runs = load_runs(where, None, f"attributes.run_id = '{selection}'")
        folder = runs["run_folder"][0]
        if isinstance(folder, str) and (Path(folder) / FILE).is_file():
            return _one_of_folder(Path(folder), name, path)
        with tempfile.TemporaryDirectory() as downloads:
            arrays = _downloaded(runs, selection, where, Path(downloads))
            figures.draw_one(name, arrays, path, str(runs["run_name"][0]))
    except OSError as error:
        expected = f"a file that can be written ({error.strerror})"
        raise ArgumentError("--out", expected, str(path)) from error
    return path


def _one_of_folder(folder: Path, name: str, path: Path) -> Path:
    title = str(StateFile(folder / "run.json").read().get("name", folder.name))
    task = folder / "task.npz"
    of_task = read_arrays(task) if task.is_file() else None
    figures.draw_one(name, read_arrays(folder / FILE), path, title, of_task)
    return path


def _downloaded(runs: pd.DataFrame, run: str, where: str | None, into: Path) -> Arrays:
    files = collect_files(runs, FILE, store_address(where), into)
    if run not in files:
        raise ArgumentError(FILE, "an artifact of that name with the run", run)
    return read_arrays(files[run])


def _of_folder(folder: Path, out: Path | None, form: str | None) -> Redrawn:
    into = folder / "figures" if out is None else out
    return Redrawn(into, draw_run(folder, into, _format(folder) if form is None else form))


def _of_mlflow(run: str, where: str | None, out: Path | None, form: str | None) -> Redrawn:
    runs = load_runs(where, None, f"attributes.run_id = '{run}'")
    folder, name = runs["run_folder"][0], str(runs["run_name"][0])
    if isinstance(folder, str) and (Path(folder) / FILE).is_file():
        return _of_folder(Path(folder), out, form)
    into = Path("figures") / name if out is None else out
    with tempfile.TemporaryDirectory() as downloads:
        arrays = _downloaded(runs, run, where, Path(downloads))
        return Redrawn(into, draw_figures(arrays, name, into, form or FORMATS[0]))


def _format(folder: Path) -> str:
    """Return the format that the run of `folder` is configured with; png where none was chosen."""
    path = folder / "config.yaml"
    if not path.is_file():
        return FORMATS[0]
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ArgumentError("config.yaml", "a configuration in YAML", str(path)) from None
    figures = config.get("figures") if isinstance(config, dict) else None
    given = figures.get("format", FORMATS[0]) if isinstance(figures, dict) else FORMATS[0]
    chosen = choice("figures.format", given, (*FORMATS, "none"))
    return FORMATS[0] if chosen == "none" else chosen
