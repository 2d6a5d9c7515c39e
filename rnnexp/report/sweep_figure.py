"""The phase diagram of a sweep as a figure for a paper: what the report shows, in one file."""

import os
from pathlib import Path

import pandas as pd

from rnnexp.plotting import phase_diagram
from rnnexp.report.html.axes import arranged
from rnnexp.report.html.phase_diagram import NAMES, diagrams, quantities
from rnnexp.runtime.checks import ArgumentError, choice


def draw(runs: pd.DataFrame, name: str, path: str | os.PathLike, title: str = "") -> Path:
    """Draw a quantity of the groups over the keys that vary.

    Args:
        runs: From `load_runs`.
        name: One of `NAMES`.
        path: .png, .pdf or .svg.
        title: Above all of it.

    Raises:
        ArgumentError: The runs have no such figure.
    """
    groups, _, axes = arranged(runs)
    known = {quantity.name: quantity for quantity in quantities(groups)}
    if choice("figure", name, NAMES) not in known:
        raise ArgumentError("figure", f"one that these runs have: {', '.join(known)}", name)
    quantity = known[name]
    panels = diagrams(groups, axes, [quantity])
    phase_diagram.draw(panels, name, quantity.legend, (axes.x or "", axes.y or ""), path, title)
    return Path(path)
