"""What each lag contributes to the gradient of the recurrent kernel."""

import os
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays
from rnnexp.probes import LagContributions

_HALF = 0.5


class _Look(NamedTuple):
    name: str
    contributions: LagContributions
    colour: str
    fill: str


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw what each lag contributes in a run, start and end (see `lag_contributions`)."""
    lag_contributions(
        path,
        arrays["start_lag_log_norm"],
        arrays["end_lag_log_norm"] if arrays.measured_later else None,
        predicted_rate=float(arrays["start_theory_rate"]),
        title=title,
    )


def lag_contributions(
    path: str | os.PathLike,
    log_norm_start: np.ndarray,
    log_norm_end: np.ndarray | None = None,
    *,
    predicted_rate: float | None = None,
    title: str = "",
) -> None:
    """Draw the contribution of each lag to dL/dW_hh: above its size, below the cumulative share.

        above: log10 ||G_{T-k}||_F      below: sum_{j<=k} ||G_{T-j}|| / sum_j ||G_{T-j}||

    The lower panel marks the median lag. The prediction is a slope, drawn as a line through lag 0 of the
    first measurement; the y range follows the measured values. Exact zeros and non-finite values are
    triangles at the lower and upper edge. A zero at lag T - 1 alone is not marked: it follows from h_0 = 0.

    Args:
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        log_norm_start: ln ||G_{T-k}||_F by lag k, (T,), nats, before training.
        log_norm_end: The same after training, or None where there is none.
        predicted_rate: Mean-field rate before training, nats per step of lag. None or nan: not drawn.
        title: Text over the figure.

    Raises:
        ArgumentError: An array has not one axis, or is empty.
    """
    looks = [_look("before", log_norm_start, style.START, "white")]
    if log_norm_end is not None:
        looks.append(_look("after", log_norm_end, style.END, style.END))
    heading = "How far back the gradient of the recurrent kernel looks"
    with style.paper_figure(path, (5.2, 5.1), title, heading) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1])
        for look in looks:
            style.curve_by_lag(above, _decades(look), look.name, look.colour, look.fill)
            _draw_part(below, look)
        _draw_prediction(above, looks[0], predicted_rate)
        _label(above, below, looks)


def _look(name: str, log_norm: np.ndarray, colour: str, fill: str) -> _Look:
    log_norm = style.array("log_norm", log_norm, 1)
    nothing = np.full(len(log_norm), np.nan)
    return _Look(name, LagContributions(log_norm, share=nothing, log_total=np.nan), colour, fill)


def _decades(look: _Look) -> np.ndarray:
    """Return log10 of the norms by lag, without the zero that follows from h_0 = 0."""
    decades = look.contributions.log_norm * style.NATS_TO_DECADES
    return decades[:-1] if len(decades) > 1 and np.isneginf(decades[-1]) else decades


def _draw_prediction(axes: Axes, look: _Look, rate: float | None) -> None:
    decades = _decades(look)
    if not style.is_number(rate) or not np.isfinite(decades[0]):
        return
    line = decades[0] + np.arange(len(decades)) * rate * style.NATS_TO_DECADES
    label = f"mean field {style.rate(rate)} nats per step"
    axes.plot(line, color=style.GREEN, linestyle="--", label=label)


def _draw_part(axes: Axes, look: _Look) -> None:
    contributions = look.contributions
    cumulative, median = contributions.cumulative, contributions.median_lag
    marker = "o" if len(cumulative) == 1 else ""
    axes.plot(cumulative, color=look.colour, linewidth=1.2, marker=marker)
    if style.is_number(median):
        reached = cumulative[int(median)]
        axes.plot([median, median], [0, reached], color=look.colour, linestyle=":", linewidth=1.2)
        label = f"median lag {style.count(median)}"
        edge: dict[str, Any] = {"markeredgecolor": style.BLACK, "markeredgewidth": 0.5, "markersize": 5.0}
        axes.plot([median], [reached], "D", color=look.colour, label=label, **edge)


def _label(above: Axes, below: Axes, looks: list[_Look]) -> None:
    above.set_ylim(style.decade_range(np.concatenate([_decades(look) for look in looks]), margin=0.06))
    above.set_ylabel(r"norm of lag $k$'s part of $dL/dW_{hh}$")
    style.power_axis(above)
    below.axhline(_HALF, color=style.GREY, linewidth=0.8, zorder=0)
    below.set_ylim(0, 1.03)
    below.set_yticks([0, _HALF, 1])
    below.set_ylabel("share within lag $k$")
    below.set_xlabel("lag $k = T - t$ (steps back from the last)")
    for axes in (above, below):
        style.curve_axes(axes)
        if axes.get_legend_handles_labels()[0]:
            style.legend_above(axes, columns=2, heading="training" if axes is above else "")
    style.whole_numbers(below.xaxis)
