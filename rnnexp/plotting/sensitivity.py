"""How the last output of a network depends on the inputs before it."""

import os

import numpy as np
from matplotlib.axes import Axes

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw how far back a network looks, before training and after it, from the arrays of its run.

    ||dy_T/dx_t|| by lag, on a logarithmic axis; a dotted line marks the lag within
    which 95 % of the norms lie. A norm that is zero or not finite has no point.

    Args:
        arrays: `start_sensitivity_log_norm` (T,), nats, `start_sensitivity_lag_95`, the same with `end_`, and
            `end_step`, which is 0 if there is no measurement after the first.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: An array has not one axis, or is empty.
    """
    looks = [("start", "before", style.START)]
    if arrays.measured_later:
        looks.append(("end", "after", style.END))
    with style.paper_figure(path, (4.8, 3.6), title, "How far back the last output looks") as figure:
        axes = figure.subplots()
        for look, name, colour in looks:
            log_norm = style.array("log_norm", arrays[f"{look}_sensitivity_log_norm"], 1)
            _draw_look(axes, name, log_norm, float(arrays[f"{look}_sensitivity_lag_95"]), colour)
        axes.set_xlabel("lag $k = T - t$ (steps back from the last)")
        axes.set_ylabel(r"$\|dy_T/dx_{T-k}\|$")
        style.power_axis(axes)
        style.whole_numbers(axes.xaxis)
        style.curve_axes(axes)
        style.legend_above(axes, columns=1, heading="training")


def _draw_look(axes: Axes, name: str, log_norm: np.ndarray, lag_95: float, colour: str) -> None:
    decades = np.where(np.isfinite(log_norm), log_norm * style.NATS_TO_DECADES, np.nan)
    marker = "o" if len(decades) == 1 else ""
    within = f": 95 % within {style.count(lag_95)} steps" if style.is_number(lag_95) else ""
    axes.plot(decades, color=colour, linewidth=1.2, marker=marker, label=f"{name}{within}")
    if style.is_number(lag_95):
        axes.axvline(lag_95, color=colour, linestyle=":", linewidth=1.2)
