"""The gradient at every time step over training, as colour."""

import os
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays

# 400 cells have two pixels each at 200 dpi, so that a single marked cell is visible.
_CELLS = 400
_PERCENTILES = (0.5, 99.5)
_ZERO, _NON_FINITE = style.LIGHT_GREY, style.VERMILLION


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw log10 ||dl/dh_t|| over training step (x) and time step t (y, h_1 at the bottom).

    More than 400 training steps or time steps are pooled: a cell shows the median of its block, over training
    steps first, so that the noise of one batch does not change the level. One non-finite value marks the
    whole cell; exact zeros (log10 = -inf) mark it if they are half of the block or more. The colour scale
    leaves out half a percent of the finite cells at either end, and spans at least one decade.

    Where sequences differ in length the axis is the lag T - t, and nan is no step, which is left blank and
    does not count in the median of a block.

    Args:
        arrays: `steps` (N,), strictly increasing, and `log_norms`, ln rms_b ||dl_b/dh_t||, (N, T), t = 1..T:
            -inf is an exact zero, nan and +inf are non-finite; `trained_lengths` of the shortest and the
            longest sequence, if they can differ.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: Shapes do not match, an array is empty, or steps do not increase.
    """
    shortest, longest = arrays.get("trained_lengths", (0, 0))
    by_lag = bool(shortest < longest)
    log10_norm = style.array("log_norms", arrays["log_norms"], 2) / np.log(10)
    train_steps = style.training_steps("steps", arrays["steps"], len(log10_norm))
    cells = pooled(pooled(log10_norm, by_lag).T, by_lag).T
    with style.paper_figure(path, (4.8, 3.4), title, "Gradient at every time step, over training") as figure:
        axes = figure.add_subplot()
        x, y = cell_edges(train_steps), cell_edges(np.arange(1, log10_norm.shape[1] + 1))
        low, high = colour_range(cells)
        levels = np.ma.masked_invalid(cells.T)
        mesh = axes.pcolormesh(x, y, levels, vmin=low, vmax=high, rasterized=True)
        _draw_marks(axes, x, y, np.where(np.isnan(cells), 0.0, cells) if by_lag else cells)
        _label(figure, axes, mesh, cells)
        last = log10_norm.shape[1]
        axes.set_yticks(time_ticks(last))
        if by_lag:
            lags = [0, *time_ticks(last)[1:-1], last - 1]
            axes.set_yticks([last - lag for lag in lags], labels=[str(lag) for lag in lags])
            axes.set_ylabel("lag $T - t$ (steps before the last)")


def pooled(values: np.ndarray, nan_is_missing: bool = False) -> np.ndarray:
    """Return medians of at most 400 consecutive blocks of rows; nan where a block holds nan or +inf.

    Args:
        values: (N, M).
        nan_is_missing: Whether nan does not count, so that only where all of a block is nan the median is.
    """
    blocks = np.array_split(values, min(len(values), _CELLS))
    if not nan_is_missing:
        return np.stack([np.median(_without_infinity(block), axis=0) for block in blocks])
    with warnings.catch_warnings():  # that all of a column is nan
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.stack([np.nanmedian(block, axis=0) for block in blocks])


def cell_edges(positions: np.ndarray) -> np.ndarray:
    """Return the edges of the cells that `pooled` makes of items at `positions`, one more than cells.

    >>> cell_edges(np.array([10, 20, 40]))
    array([ 5., 15., 30., 50.])
    """
    gaps = np.diff(positions) if len(positions) > 1 else np.ones(1)
    inner = (positions[:-1] + positions[1:]) / 2
    borders = np.concatenate([[positions[0] - gaps[0] / 2], inner, [positions[-1] + gaps[-1] / 2]])
    sizes = [len(block) for block in np.array_split(positions, min(len(positions), _CELLS))]
    return borders[np.concatenate([[0], np.cumsum(sizes)])]


def colour_range(cells: np.ndarray) -> tuple[float, float]:
    """Return the lowest and highest coloured value: robust percentiles, at least a decade apart."""
    finite = cells[np.isfinite(cells)]
    return style.decade_range(np.percentile(finite, _PERCENTILES) if finite.size else finite)


def time_ticks(time_steps: int) -> list[int]:
    """Return round time steps between 1 and T, both included.

    >>> time_ticks(100)
    [1, 20, 40, 60, 80, 100]
    """
    if time_steps <= 10:
        return list(range(1, time_steps + 1))
    round_ticks = MaxNLocator(nbins=6, steps=style.ROUND, integer=True).tick_values(0, time_steps)
    clearance = 0.45 * (round_ticks[1] - round_ticks[0])
    inner = [int(tick) for tick in round_ticks if 1 + clearance < tick < time_steps - clearance]
    return sorted({1, *inner, time_steps})


def _without_infinity(block: np.ndarray) -> np.ndarray:
    block = block.astype(np.float64)
    block[np.isposinf(block)] = np.nan
    return block


def _draw_marks(axes: Axes, x: np.ndarray, y: np.ndarray, cells: np.ndarray) -> None:
    marks = [
        (np.isneginf(cells), _ZERO, "exactly zero"),
        (np.isnan(cells) | np.isposinf(cells), _NON_FINITE, "not finite"),
    ]
    present = [(mask, colour, label) for mask, colour, label in marks if mask.any()]
    for mask, colour, _ in present:
        marked = np.ma.masked_equal(mask.T, False)
        axes.pcolormesh(x, y, marked, cmap=ListedColormap([colour]), rasterized=True)
    if present:
        patches = [Patch(facecolor=colour, edgecolor="black", linewidth=0.4) for _, colour, _ in present]
        labels = [label for _, _, label in present]
        axes.legend(patches, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, handlelength=1.0)


def _label(figure: Figure, axes: Axes, mesh: QuadMesh, cells: np.ndarray) -> None:
    style.training_axis(axes)
    axes.set_ylabel("time step $t$")
    finite, (low, high) = cells[np.isfinite(cells)], mesh.get_clim()
    if not finite.size:
        return
    extend = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
    clipped = bool(np.any(finite < low)), bool(np.any(finite > high))
    bar = figure.colorbar(mesh, ax=axes, extend=extend[clipped], pad=0.02, aspect=25)
    bar.set_label(r"gradient norm $\|\partial\ell/\partial h_t\|$")
    ticks = style.power_ticks(low, high)
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.outline.set_linewidth(0.6)
