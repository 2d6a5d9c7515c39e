"""How the last output of a network depends on the inputs before it."""

import os
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from rnnexp.plotting import style

_NATS_TO_DECADES = 1 / np.log(10)


def draw(arrays: Mapping[str, np.ndarray], path: str | os.PathLike, title: str = "") -> None:
    """Draw how far back a network looks, before training and after it, from the arrays of its run.

    log10 of ||dy_T/dx_t|| by lag, over its value at lag 0 before training; a dotted line marks the lag within
    which 95 % of the norms lie. Where a norm is zero or not finite there is no point.

    Args:
        arrays: `start_sensitivity_log_norm` (T,), nats, `start_sensitivity_lag_95`, the same of `end_`, and
            `end_step`: 0 where there was no look after the first.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: An array has not one axis, or is empty.
    """
    looks = [("start", style.START)]
    if int(arrays["end_step"]) > 0:
        looks.append(("end", style.END))
    with style.paper_figure(path, (4.8, 3.2), title) as figure:
        axes = figure.subplots()
        for look, colour in looks:
            log_norm = style.array("log_norm", arrays[f"{look}_sensitivity_log_norm"], 1)
            _draw_look(axes, look, log_norm, float(arrays[f"{look}_sensitivity_lag_95"]), colour)
        axes.set_xlabel("lag $k = T - t$ (steps)")
        axes.set_ylabel(r"$\log_{10}\;\|dy_T/dx_{T-k}\|$")
        style.whole_numbers(axes.xaxis)
        axes.margins(x=0.02)
        axes.grid(axis="y", color=style.LIGHT_GREY, linewidth=0.5)
        style.legend_above(axes, columns=1)


def _draw_look(axes: Axes, name: str, log_norm: np.ndarray, lag_95: float, colour: str) -> None:
    decades = np.where(np.isfinite(log_norm), log_norm * _NATS_TO_DECADES, np.nan)
    marker = "o" if len(decades) == 1 else ""
    within = f": 95 % within {style.count(lag_95)} steps" if style.is_number(lag_95) else ""
    axes.plot(decades, color=colour, linewidth=1.2, marker=marker, label=f"{name}{within}")
    if style.is_number(lag_95):
        axes.axvline(lag_95, color=colour, linestyle=":", linewidth=1.2)
