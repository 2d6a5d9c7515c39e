"""What a trained network scores on sequences of other lengths than those that it was trained on."""

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays

_MOST_TICKS = 8
_FLOOR: Any = {"color": style.BLACK, "linestyle": "--", "linewidth": 1}


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw error and loss against the length, beside the best constant's and where training was.

    Args:
        arrays: `lengths` (M,), ascending; `length_error`, `length_floor_error`, `length_loss`,
            `length_loss_half_width` and `length_floor_loss`, (M,) each; `trained_lengths`, the shortest and
            the longest; `criterion`, nan where there is none; `loss_unit`.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: The lengths have not one axis, or are empty.
    """
    lengths = style.array("lengths", arrays["lengths"], 1)
    with style.paper_figure(path, (4.8, 4.6), title, "Scores at other lengths") as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw_error(upper, lengths, arrays)
        _draw_loss(lower, lengths, arrays)
        for axes in (upper, lower):
            _shade(axes, arrays["trained_lengths"])
        _length_axis(lower, np.concatenate([lengths, arrays["trained_lengths"]]))
        style.legend_above(upper, columns=2)


def _draw_error(axes: Axes, lengths: np.ndarray, arrays: Arrays) -> None:
    error, floor = arrays["length_error"], arrays["length_floor_error"]
    axes.plot(lengths, error, marker="o", color=style.BLUE, label="trained network")
    axes.plot(lengths, floor, marker="_", label="best constant guess", **_FLOOR)
    criterion = float(arrays["criterion"])
    if style.is_number(criterion):
        label = f"criterion, {100 * criterion:.3g} %"
        axes.axhline(criterion, color=style.GREEN, linestyle=":", linewidth=1.2, label=label)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(-0.03, 1.05 * float(np.nanmax([*error, *floor, 0.1])))
    axes.set_ylabel("error")


def _draw_loss(axes: Axes, lengths: np.ndarray, arrays: Arrays) -> None:
    loss, half_width = arrays["length_loss"], arrays["length_loss_half_width"]
    axes.errorbar(lengths, loss, half_width, marker="o", color=style.BLUE, capsize=2)
    axes.plot(lengths, arrays["length_floor_loss"], marker="_", **_FLOOR)
    if np.nanmax(loss) > 30 * np.nanmax(arrays["length_floor_loss"]):
        style.logarithmic(axes)
    axes.set_ylabel(f"loss ({arrays['loss_unit']})")


def _shade(axes: Axes, trained: np.ndarray) -> None:
    """Mark the lengths of training: a band, or a line where there is one length."""
    low, high = (float(end) for end in trained)
    if low == high:
        axes.axvline(low, color=style.LIGHT_GREY, linewidth=3, zorder=0, label="trained on")
    else:
        axes.axvspan(low, high, color=style.LIGHT_GREY, alpha=0.5, linewidth=0, zorder=0, label="trained on")


def _length_axis(axes: Axes, shown: np.ndarray) -> None:
    ticks = np.unique(shown)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    places = np.linspace(0, len(ticks) - 1, min(len(ticks), _MOST_TICKS)).round().astype(int)
    axes.xaxis.set_major_locator(FixedLocator(list(ticks[places])))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("length of the sequences")
