"""A phase diagram: a coloured cell for every group of a sweep, over the keys that vary."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnnexp.plotting import style

_CELL = (1.15, 0.62)  # inches
_LEFT, _RIGHT, _ABOVE, _BELOW = 1.1, 0.3, 0.45, 0.75
_ACROSS = 3  # diagrams beside each other
_NO_VALUE = ("#ffffff", style.GREY)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A group in the diagram.

    Attributes:
        group: Its number in the table over groups.
        label: What it is.
        texts: Quantity -> the number and the text under it.
        colours: Quantity -> colours `#rrggbb` of background and text; without those that it has no value of.
        notes: How many runs diverged or failed.
        diverged: Whether a run of it diverged.
    """

    group: int
    label: str
    texts: Mapping[str, tuple[str, str]]
    colours: Mapping[str, tuple[str, str]]
    notes: str = ""
    diverged: bool = False


@dataclasses.dataclass(frozen=True)
class Panel:
    """One diagram: `rows` of (value of y, cells over x; None where nothing was run)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


@dataclasses.dataclass(frozen=True)
class Legend:
    """What the colour means: its title, colours from low to high, and the words at the two ends."""

    title: str
    colours: Sequence[str]
    low: str
    high: str


def draw(
    panels: Sequence[Panel],
    quantity: str,
    legend: Legend,
    keys: tuple[str, str],
    path: str | os.PathLike,
) -> None:
    """Draw the diagrams beside each other, three in a row, with one bar of colours, to `path`.

    Args:
        panels: At least one; all have the same columns.
        quantity: The one whose texts and colours are drawn.
        legend: What its colours mean.
        keys: Names of x and y, "" where nothing varies.
        path: .png, .pdf or .svg.
    """
    across = min(_ACROSS, len(panels))
    down = -(-len(panels) // across)
    most = max(len(panel.rows) for panel in panels)
    width = across * (_LEFT + len(panels[0].columns) * _CELL[0]) + _RIGHT
    height = down * (_ABOVE + most * _CELL[1] + _BELOW) + _ABOVE
    with style.paper_figure(path, (max(width, 3.6), height)) as figure:
        places = figure.subplots(down, across, squeeze=False).ravel()
        for axes, panel in zip(places, panels, strict=False):
            _draw_panel(axes, panel, quantity, keys)
        for axes in places[len(panels) :]:
            axes.set_axis_off()
        _draw_bar(figure, list(places), legend)


def _draw_panel(axes: Axes, panel: Panel, quantity: str, keys: tuple[str, str]) -> None:
    axes.set(xlim=(0, len(panel.columns)), ylim=(len(panel.rows), 0), xlabel=keys[0], ylabel=keys[1])
    axes.set_title(panel.title)
    axes.set_xticks([place + 0.5 for place in range(len(panel.columns))], panel.columns)
    axes.set_yticks([place + 0.5 for place in range(len(panel.rows))], [name for name, _ in panel.rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for down, (_, cells) in enumerate(panel.rows):
        for across, cell in enumerate(cells):
            if cell is not None:
                _draw_cell(axes, across, down, cell, quantity)


def _draw_cell(axes: Axes, across: int, down: int, cell: Cell, quantity: str) -> None:
    background, ink = cell.colours.get(quantity, _NO_VALUE)
    number, below = cell.texts[quantity]
    area = Rectangle((across, down), 1, 1, facecolor=background, edgecolor="white", linewidth=1.5)
    axes.add_patch(area)
    if cell.diverged:
        look: dict[str, Any] = {"edgecolor": ink, "linewidth": 0, "hatch": "////", "alpha": 0.3}
        axes.add_patch(Rectangle((across, down), 1, 1, fill=False, **look))
    looks: dict[str, Any] = {"color": ink, "ha": "center", "va": "center"}
    axes.text(across + 0.5, down + (0.4 if below else 0.5), number, **looks)
    axes.text(across + 0.5, down + 0.72, below, fontsize=7.5, **looks)


def _draw_bar(figure: Figure, places: Sequence[Axes], legend: Legend) -> None:
    colours = ScalarMappable(cmap=LinearSegmentedColormap.from_list("legend", list(legend.colours)))
    bar = figure.colorbar(colours, ax=list(places), location="bottom", aspect=40, shrink=0.7)
    bar.set_ticks([0, 1], labels=[legend.low, legend.high])
    bar.set_label(legend.title)
    bar.outline.set_visible(False)
