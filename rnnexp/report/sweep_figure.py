"""The phase diagram of a sweep as a figure for a paper: what the report shows, in one file."""

import os
from pathlib import Path

import pandas as pd

from rnnexp.analysis import group_runs, varying
from rnnexp.plotting import phase_diagram
from rnnexp.plotting.phase_diagram import Diagram, Key, Tile
from rnnexp.report.html.axes import choose_axes, in_order
from rnnexp.report.html.phase_diagram import NAMES, Cell, Panel, Quantity, diagrams, quantities
from rnnexp.runtime.checks import ArgumentError, choice

_NOTHING = ("#ffffff", "#767676")


def names(runs: pd.DataFrame) -> list[str]:
    """Return the names of the figures that these runs have, the share of solved runs first."""
    return [quantity.name for quantity in quantities(group_runs(runs))]


def draw(runs: pd.DataFrame, name: str, path: str | os.PathLike, title: str = "") -> Path:
    """Draw a quantity of the groups over the keys that vary.

    Args:
        runs: From `load_runs`.
        name: One of `names(runs)`.
        path: .png, .pdf or .svg.
        title: Above all of it.

    Raises:
        ArgumentError: The runs have no such figure.
    """
    groups = group_runs(runs)
    known = {quantity.name: quantity for quantity in quantities(groups)}
    if choice("figure", name, NAMES) not in known:
        raise ArgumentError("figure", f"one that these runs have: {', '.join(known)}", name)
    quantity = known[name]
    axes = choose_axes(groups, varying(runs))
    groups = in_order(groups, axes).reset_index(drop=True)
    drawn = [_diagram(panel, quantity) for panel in diagrams(groups, axes, [quantity])]
    colours, low, high = quantity.legend
    key = Key(quantity.title, colours.split(", "), low, high)
    phase_diagram.draw(drawn, key, (axes.x or "", axes.y or ""), path, title)
    return Path(path)


def _diagram(panel: Panel, quantity: Quantity) -> Diagram:
    rows = [(name, [_tile(cell, quantity) for cell in cells]) for name, cells in panel.rows]
    return Diagram(panel.title, panel.columns, rows)


def _tile(cell: Cell | None, quantity: Quantity) -> Tile | None:
    if cell is None:
        return None
    number, below = cell.texts[quantity.name]
    return Tile(number, below, *cell.colours.get(quantity.name, _NOTHING), hatched=cell.diverged)
