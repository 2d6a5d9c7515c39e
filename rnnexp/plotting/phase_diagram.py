"""A phase diagram: a coloured tile for every group of a sweep, over the keys that vary."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnnexp.plotting import style

_TILE = (1.15, 0.62)  # inches
_LEFT, _RIGHT, _ABOVE, _BELOW = 1.1, 0.3, 0.45, 0.75
_ACROSS = 3  # diagrams beside each other


@dataclasses.dataclass(frozen=True)
class Tile:
    """A group: its number, what stands under it, background and ink `#rrggbb`, whether a run diverged."""

    number: str
    below: str
    background: str
    ink: str
    hatched: bool = False


@dataclasses.dataclass(frozen=True)
class Diagram:
    """`rows` of (value of y, tiles over x from left to right; None where nothing was run)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Tile | None]]]


@dataclasses.dataclass(frozen=True)
class Key:
    """What the colour means: its title, colours from low to high, and the words at the two ends."""

    title: str
    colours: Sequence[str]
    low: str
    high: str


def draw(
    diagrams: Sequence[Diagram], key: Key, keys: tuple[str, str], path: str | os.PathLike, title: str = ""
) -> None:
    """Draw the diagrams beside each other, three in a row, with one bar of colours, to `path`.

    Args:
        diagrams: At least one; all have the same columns.
        key: What the colour means.
        keys: Names of x and y, "" where nothing varies.
        path: .png, .pdf or .svg.
        title: Above all of it.
    """
    across = min(_ACROSS, len(diagrams))
    down = -(-len(diagrams) // across)
    most = max(len(diagram.rows) for diagram in diagrams)
    width = across * (_LEFT + len(diagrams[0].columns) * _TILE[0]) + _RIGHT
    height = down * (_ABOVE + most * _TILE[1] + _BELOW) + _ABOVE
    with style.paper_figure(path, (max(width, 3.6), height), title) as figure:
        places = figure.subplots(down, across, squeeze=False).ravel()
        for axes, diagram in zip(places, diagrams, strict=False):
            _diagram(axes, diagram, keys)
        for axes in places[len(diagrams) :]:
            axes.set_axis_off()
        _bar(figure, list(places), key)


def _diagram(axes: Axes, diagram: Diagram, keys: tuple[str, str]) -> None:
    axes.set(xlim=(0, len(diagram.columns)), ylim=(len(diagram.rows), 0), xlabel=keys[0], ylabel=keys[1])
    axes.set_title(diagram.title)
    axes.set_xticks([place + 0.5 for place in range(len(diagram.columns))], diagram.columns)
    axes.set_yticks([place + 0.5 for place in range(len(diagram.rows))], [name for name, _ in diagram.rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for down, (_, tiles) in enumerate(diagram.rows):
        for across, tile in enumerate(tiles):
            if tile is not None:
                _tile(axes, across, down, tile)


def _tile(axes: Axes, across: int, down: int, tile: Tile) -> None:
    area = Rectangle((across, down), 1, 1, facecolor=tile.background, edgecolor="white", linewidth=1.5)
    axes.add_patch(area)
    if tile.hatched:
        look: dict[str, Any] = {"edgecolor": tile.ink, "linewidth": 0, "hatch": "////", "alpha": 0.3}
        axes.add_patch(Rectangle((across, down), 1, 1, fill=False, **look))
    looks: dict[str, Any] = {"color": tile.ink, "ha": "center", "va": "center"}
    axes.text(across + 0.5, down + (0.4 if tile.below else 0.5), tile.number, **looks)
    axes.text(across + 0.5, down + 0.72, tile.below, fontsize=7.5, **looks)


def _bar(figure: Figure, places: Sequence[Axes], key: Key) -> None:
    colours = LinearSegmentedColormap.from_list("key", list(key.colours))
    bar = figure.colorbar(
        ScalarMappable(cmap=colours), ax=list(places), location="bottom", aspect=40, shrink=0.7
    )
    bar.set_ticks([0, 1], labels=[key.low, key.high])
    bar.set_label(key.title)
    bar.outline.set_visible(False)
