"""The gradient at every time step of a model's recurrent layers, one panel a state."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnexp.plotting import style
from rnnexp.runtime.checks import ArgumentError

_COLUMNS = 2
_WIDTH, _HEIGHT = 4.2, 2.3
_BAND = (10, 90)


class Panel(NamedTuple):
    """One state of one layer; arrays over time are in the order of the layer's inputs, t = 1..T.

    Attributes:
        label: Its name.
        log_norms: ln ||dl_b/dh_t||, (T, B); nan where there is no step, -inf for an exact zero.
        log_norm: ln rms_b ||dl_b/dh_t||, (T,).
        fitted: The fitted line, (T,), nats; nan where there is none.
        summary: What was found, in a few words.
        go_backwards: Whether the layer processes the last input first.
    """

    label: str
    log_norms: np.ndarray
    log_norm: np.ndarray
    fitted: np.ndarray
    summary: str
    go_backwards: bool


def gradient_flow(panels: Sequence[Panel], path: str | os.PathLike | None = None) -> style.ShownFigure:
    """Draw log10 ||dl/dh_t|| against t for every state: rms over samples, their 10-90 % band, the fit.

    Exact zeros and non-finite values have no place on the axis: triangles at its lower and upper edge.

    Args:
        panels: The states, at least one.
        path: The file, whose suffix decides the format (.png, .pdf, .svg); None writes none.

    Returns:
        The figure.

    Raises:
        ArgumentError: There are no panels, or an array has not its shape.
    """
    if not panels:
        raise ArgumentError("panels", "at least one", list(panels))
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with style.paper_figure(path, (_WIDTH * columns + 0.4, _HEIGHT * rows + 0.5)) as figure:
        figure.supylabel(r"$\log_{10}\;\|\partial\ell/\partial h_t\|$", fontsize=10)
        for number, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(rows, columns, number)
            _draw(axes, panel)
            if number > len(panels) - columns:
                axes.set_xlabel("time step $t$ of the layer's input")
        _legend(figure)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    log_norms = style.array("log_norms", panel.log_norms, 2) * style.NATS_TO_DECADES
    rms = style.array("log_norm", panel.log_norm, 1) * style.NATS_TO_DECADES
    fitted = style.array("fitted", panel.fitted, 1) * style.NATS_TO_DECADES
    time_steps = np.arange(1, len(log_norms) + 1)
    if len(rms) != len(time_steps) or len(fitted) != len(time_steps):
        raise ArgumentError("panels", f"{len(time_steps)} steps in every array of a panel", panel.label)
    low, high = _band(log_norms)
    axes.fill_between(
        time_steps, low, high, color=style.SKY, alpha=0.35, linewidth=0, label="10-90 % of samples"
    )
    shown = np.where(np.isfinite(rms), rms, np.nan)
    axes.plot(
        time_steps,
        shown,
        color=style.BLUE,
        label="rms over samples",
        marker="o" if len(time_steps) < 3 else "",
    )
    axes.plot(time_steps, fitted, color=style.BLACK, linewidth=1.0, linestyle="--", label="fit")
    style.mark_edge(axes, time_steps[np.isneginf(rms)], 0.03, "v", "zero", style.VERMILLION)
    style.mark_edge(axes, time_steps[np.isposinf(rms)], 0.97, "^", "not finite", style.VERMILLION)
    _frame(axes, panel, np.concatenate([low, high, shown]))


def _band(log_norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return percentiles over the finite samples of every step; nan if there are none."""
    result = np.full((2, len(log_norms)), np.nan)
    for step, norms in enumerate(log_norms):
        finite = norms[np.isfinite(norms)]
        if finite.size:
            result[:, step] = np.percentile(finite, _BAND)
    return result[0], result[1]


def _frame(axes: Axes, panel: Panel, values: np.ndarray) -> None:
    way = "  (last input first)" if panel.go_backwards else ""
    axes.set_title(f"{panel.label}{way}\n{panel.summary}", loc="left", fontsize=9, parse_math=False)
    style.curve_axes(axes)
    style.whole_numbers(axes.xaxis)
    axes.set_ylim(style.decade_range(values, margin=0.05))


def _legend(figure: Figure) -> None:
    """Draw one legend for all panels below them."""
    named: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=len(named))
