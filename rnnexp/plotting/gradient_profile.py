"""How the gradient changes with the lag, beside the fit and the theory."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays

# Share of the measured range by which the lines may widen the y axis on either side.
_LINE_SHARE = 0.25
_LINE_OF_LEGEND = 0.17  # inches
# Of the layers above the lowest, of whose rate theory draws no lines.
_UPPER = (style.GREEN, style.VERMILLION, style.PURPLE, style.SKY)


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw the gradient of a run by lag, start and end (see `gradient_profile`)."""
    last = "end" if arrays.measured_later else "start"
    gradient_profile(
        path,
        _typical(arrays, "start"),
        _typical(arrays, "end") if arrays.measured_later else None,
        rate=float(arrays[f"{last}_rate"]),
        rate_low=float(arrays[f"{last}_rate_low"]),
        rate_high=float(arrays[f"{last}_rate_high"]),
        predicted_rate=float(arrays[f"{last}_theory_rate"]),
        rate_measured_slopes=float(arrays[f"{last}_theory_rate_measured_slopes"]),
        rate_bound=float(arrays[f"{last}_theory_rate_bound"]),
        upper=[_typical(arrays, f"{last}_layer_{number}") for number in arrays.upper_layers],
        title=title,
    )


def _typical(arrays: Arrays, look: str) -> np.ndarray:
    """Return the profile of a typical sample, decades; that of the rms if the run is an old record.

    Args:
        arrays: Of the run.
        look: What comes before the names of the arrays: `start`, `end`, or `end_layer_2`.
    """
    name = f"{look}_log_typical"
    return arrays[name if name in arrays else f"{look}_log_norm"] / np.log(10)


def gradient_profile(
    path: str | os.PathLike,
    log10_norm_start: np.ndarray,
    log10_norm_end: np.ndarray | None = None,
    *,
    rate: float | None = None,
    rate_low: float | None = None,
    rate_high: float | None = None,
    predicted_rate: float | None = None,
    rate_measured_slopes: float | None = None,
    rate_bound: float | None = None,
    upper: Sequence[np.ndarray] = (),
    title: str = "",
) -> None:
    """Draw log10 of ||dl/dh_t|| over ||dl/dh_T|| against the lag T - t.

    The fit's slope is `rate`, its line goes through the centroid of the finite values of the last profile (as
    a least-squares line does), and its band is spanned by the slopes `rate_low` and `rate_high` through the
    same point. Predictions and bound are lines through lag 0. The y range follows the measured values; the
    lines may widen it by a quarter a side.
    Exact zeros and non-finite values have no place on the axis: triangles at its lower and upper edge.

    Args:
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        log10_norm_start: log10 ||dl/dh_t|| (T,), t = 1..T, before training.
        log10_norm_end: The same after training, or None where there is none.
        rate: Fitted slope of ln ||dl/dh_t|| per step of lag, nats per step. None or nan: not drawn.
        rate_low: Lower end of its 95 % interval. None or nan: no band.
        rate_high: Upper end of its 95 % interval. None or nan: no band.
        predicted_rate: Mean-field rate, nats per step. None or nan: not drawn.
        rate_measured_slopes: `rnnexp.theory.rate_of_slopes`, nats per step. None or nan: not drawn.
        rate_bound: ln(sigma_max sup phi'), the bound of Pascanu et al. 2013 (https://arxiv.org/abs/1211.5063),
            nats per step. None or nan: not drawn.
        upper: The last profile of every layer above the lowest, from layer 2 on; those above and the fit are
            then named as layer 1.
        title: Text over the figure.

    Raises:
        ArgumentError: A profile is not a non-empty array of one axis.
    """
    start = ratio_by_lag("log10_norm_start", log10_norm_start)
    end = None if log10_norm_end is None else ratio_by_lag("log10_norm_end", log10_norm_end)
    above = [ratio_by_lag("upper", profile) for profile in upper]
    layer, when = ("layer 1 ", "before" if end is None else "after") if above else ("", "")
    heading = "How the gradient changes on its way back in time"
    height = 3.9 + _LINE_OF_LEGEND * max(0, len(above) - 1)
    with style.paper_figure(path, (4.8, height), title, heading) as figure:
        axes = figure.add_subplot()
        style.curve_by_lag(axes, start, f"{layer}before", style.START, "white")
        if end is not None:
            style.curve_by_lag(axes, end, f"{layer}after", style.END, style.END)
        for number, profile in enumerate(above, start=2):
            colour = _UPPER[(number - 2) % len(_UPPER)]
            style.curve_by_lag(axes, profile, f"layer {number} {when}", colour, colour, "s")
        measured = style.legend_above(axes, 1, "training")
        lines = [_draw_fit(axes, start if end is None else end, rate, rate_low, rate_high)]
        lags = np.arange(max(len(start), 0 if end is None else len(end)))
        lines += [_draw_theory(axes, lags, predicted_rate, "mean field", style.GREEN, "--")]
        lines += [_draw_theory(axes, lags, rate_measured_slopes, "measured slopes", style.VERMILLION, ":")]
        lines += [_draw_theory(axes, lags, rate_bound, "upper bound", style.PURPLE, "-.")]
        axes.set_ylim(y_range([start, *([] if end is None else [end]), *above], lines))
        _label(axes, lags)
        _legend_of_lines(axes, f"{layer}rate (nats per step)", measured)


def ratio_by_lag(name: str, log10_norm: np.ndarray) -> np.ndarray:
    """Return log10 of ||dl/dh_t|| over ||dl/dh_T|| by lag 0..T-1.

    If the reference ||dl/dh_T|| is not finite, no ratio is: exact zeros stay -inf, all others are nan.
    """
    by_lag = style.array(name, log10_norm, 1).astype(np.float64)[::-1]
    if np.isfinite(by_lag[0]):
        return by_lag - by_lag[0]
    return np.where(np.isneginf(by_lag), -np.inf, np.nan)


def y_range(measured: list[np.ndarray], lines: list[np.ndarray]) -> tuple[float, float]:
    """Return the limits of y: the measured values, a margin, and a bounded share for the lines."""
    low, high = style.decade_range(np.concatenate([*measured, [0.0]]))
    share = _LINE_SHARE * (high - low)
    reach = np.concatenate([*lines, [low, high]])
    low, high = max(low - share, min(low, reach.min())), min(high + share, max(high, reach.max()))
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _draw_fit(
    axes: Axes, ratio: np.ndarray, rate: float | None, rate_low: float | None, rate_high: float | None
) -> np.ndarray:
    lags, finite = np.arange(len(ratio)), np.isfinite(ratio)
    if not style.is_number(rate) or not finite.any():
        return np.zeros(0)
    x, y = lags - lags[finite].mean(), ratio[finite].mean()
    line = reach = y + x * rate * style.NATS_TO_DECADES
    label = f"fit {style.rate(rate)}"
    if style.is_number(rate_low) and style.is_number(rate_high):
        edges = [y + x * slope * style.NATS_TO_DECADES for slope in (rate_low, rate_high)]
        axes.fill_between(lags, *edges, color=style.BLACK, alpha=0.15, linewidth=0)
        label += f" [{style.rate(rate_low)}, {style.rate(rate_high)}]"
        reach = np.concatenate(edges)
    axes.plot(lags, line, color=style.BLACK, linewidth=1.0, label=label)
    return reach


def _draw_theory(
    axes: Axes, lags: np.ndarray, rate: float | None, name: str, colour: str, dashes: str
) -> np.ndarray:
    if not style.is_number(rate):
        return np.zeros(0)
    heights = lags * rate * style.NATS_TO_DECADES
    axes.plot(lags, heights, color=colour, linestyle=dashes, label=f"{name} {style.rate(rate)}")
    return heights


def _legend_of_lines(axes: Axes, heading: str, measured: Legend) -> None:
    """Draw a second legend above the frame, for the lines that are not in that of the measured curves."""
    named = len(measured.get_texts())
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > named:
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0)}
        style.legend_above(axes, 1, heading, handles=handles[named:], labels=labels[named:], **place)
        axes.add_artist(measured).set_clip_on(False)  # the layout reserves space only if it is not clipped


def _label(axes: Axes, lags: np.ndarray) -> None:
    axes.set_xlabel("lag $T - t$ (steps back from the last)")
    axes.set_ylabel(r"$\|\partial\ell/\partial h_t\| \;/\; \|\partial\ell/\partial h_T\|$")
    style.power_axis(axes)
    style.curve_axes(axes)
    style.whole_numbers(axes.xaxis)
