"""Draws the figures of a run again, from its folder or by its id, and the phase diagram of a sweep."""

import os
import re
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from rnnexp.analysis import load_runs
from rnnexp.analysis.files import collect_files
from rnnexp.analysis.runs import store_address
from rnnexp.plotting import phase_diagram, run_figures
from rnnexp.plotting.arrays import FILE, read_arrays
from rnnexp.plotting.run_figures import FORMATS, Drawn, Recorded, draw_figures, read_run
from rnnexp.report.html.axes import arranged
from rnnexp.report.html.phase_diagram import NAMES, diagrams, quantities
from rnnexp.runtime.checks import ArgumentError, choice

_MLFLOW_ID = re.compile(r"[0-9a-f]{32}")


def is_run(selection: str) -> bool:
    """Return whether that is a folder, or looks like the id of a run in MLflow; else it names a sweep."""
    return Path(selection).is_dir() or _MLFLOW_ID.fullmatch(selection) is not None


def redraw(selection: str, where: str | None, out: Path | None, form: str | None) -> Drawn:
    """Draw the figures of a run, at least one.

    Args:
        selection: The run's folder, or the id of its run in MLflow.
        where: The store that has the id, as `load_runs` takes it.
        out: A folder for the figures; None: `figures` in the run's folder, or in the working folder where
            the run's is not on this machine.
        form: png, svg or pdf; None: what the run is configured with.

    Raises:
        ArgumentError: There is no such run, or its arrays are damaged or those of no figure.
        OSError: A figure cannot be written.
    """
    run, folder = _found(selection, where)
    usual = Path("figures") / run.name if folder is None else folder / "figures"
    if form is None:
        form = FORMATS[0] if folder is None else _format(folder)
    drawn = draw_figures(run, usual if out is None else out, form)
    if not drawn.paths:
        lacking = ", ".join(dict.fromkeys(drawn.lacking.values()))
        expected = f"the arrays that figures are drawn from ({lacking}), which older runs do not have"
        raise ArgumentError(FILE, expected, selection)
    return drawn


def draw_one(selection: str, where: str | None, figure: str, path: Path) -> Path:
    """Draw one figure of a run, named as for `redraw`, to `path`, and return that.

    Raises:
        ArgumentError: There is no such run or figure, or the file cannot be written.
    """
    try:
        run_figures.draw_one(_found(selection, where)[0], figure, path)
    except OSError as error:
        expected = f"a file that can be written ({error.strerror})"
        raise ArgumentError("--out", expected, str(path)) from error
    return path


def _found(selection: str, where: str | None) -> tuple[Recorded, Path | None]:
    """Return a run and its folder; None where that is not on this machine."""
    if Path(selection).is_dir():
        return read_run(Path(selection)), Path(selection)
    runs = load_runs(where, None, f"attributes.run_id = '{selection}'")
    folder = runs["run_folder"][0]
    if isinstance(folder, str) and (Path(folder) / FILE).is_file():
        return read_run(Path(folder)), Path(folder)
    with tempfile.TemporaryDirectory() as downloads:
        files = collect_files(runs, FILE, store_address(where), Path(downloads))
        if selection not in files:
            raise ArgumentError(FILE, "an artifact of that name with the run", selection)
        return Recorded(read_arrays(files[selection]), str(runs["run_name"][0])), None


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


def draw_sweep(runs: pd.DataFrame, name: str, path: str | os.PathLike) -> Path:
    """Draw the phase diagram of a sweep as the report shows it, for a paper, to `path`, and return that.

    Args:
        runs: From `load_runs`.
        name: Of the quantity, one of `NAMES`.
        path: .png, .pdf or .svg.

    Raises:
        ArgumentError: The runs have no such figure.
    """
    groups, _, axes = arranged(runs)
    known = {quantity.name: quantity for quantity in quantities(groups)}
    if choice("figure", name, NAMES) not in known:
        raise ArgumentError("figure", f"one that these runs have: {', '.join(known)}", name)
    panels = diagrams(groups, axes, [known[name]])
    phase_diagram.draw(panels, name, known[name].legend, (axes.x or "", axes.y or ""), path)
    return Path(path)
