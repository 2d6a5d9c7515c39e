"""The hidden layer over time: quantiles and saturation of its units, and its effective dimension."""

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays

_WIDTH, _HEIGHT = 3.1, 1.4
_BANDS = (("5-95 %", 0, 4, 0.25), ("25-75 %", 1, 3, 0.45))
_MEDIAN = 2
_LARGEST_LINEAR = 10.0
"""Larger quantiles get a symmetric logarithmic axis, since a linear one would hide values around 0."""
_SPACING = {"handlelength": 1.4, "handletextpad": 0.5, "columnspacing": 0.9}

_Curves = Mapping[str, np.ndarray]


class _Row(NamedTuple):
    """A row of panels: quantiles of one quantity over time, or curves of several.

    Attributes:
        label: Of the y axis.
        fields: Names of the arrays: one of quantiles (T, Q), or some curves (T,).
        names: Of the curves; empty for quantiles.
        limits: Of the y axis; None: as the values need.
    """

    label: str
    fields: tuple[str, ...]
    names: tuple[str, ...] = ()
    limits: tuple[float | None, float | None] = (None, None)

    def values(self, states: _Curves) -> list[np.ndarray]:
        """Return the arrays of `states` that the row draws."""
        dimensions = 1 if self.names else 2
        return [style.array(field, states[field], dimensions) for field in self.fields]


_STATES = _Row("state $h_t$", ("state_quantiles",))
_ROWS = (
    _Row("pre-activation $a_t$", ("pre_activation_quantiles",)),
    _STATES,
    _Row("share of units", ("saturated", "dead"), ("saturated", "dead"), (-0.04, 1.04)),
    _Row(
        "dimension of $h_t$",
        ("effective_rank", "participation_ratio"),
        ("effective rank", "participation ratio"),
        (0.0, None),
    ),
)


class _Look(NamedTuple):
    name: str
    states: _Curves
    colour: str


FIELDS = tuple(field for row in _ROWS for field in row.fields)
"""The fields of `rnnexp.probes.States` that are drawn."""


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw the hidden layer of a run, start and end (see `hidden_states`)."""
    start, end = ({field: arrays[f"{look}_{field}"] for field in FIELDS} for look in ("start", "end"))
    hidden_states(path, start, end if arrays.measured_later else None, title=title)


def hidden_states(
    path: str | os.PathLike, start: _Curves, end: _Curves | None = None, *, title: str = ""
) -> None:
    """Draw the hidden layer at every step, before training (left) and after it (right).

    From the top: quantiles of pre-activations and of states over samples and units (median, 25-75 % and
    5-95 %), shares of saturated and of dead units, effective rank and participation ratio. Panels of a row
    share their axis; a row without data is left out. Quantiles beyond 10 have an axis that is linear from -1
    to 1 and logarithmic outside. Steps that are not finite are marked at the upper edge.

    Args:
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        start: Before training: the arrays named in `FIELDS`, as `rnnexp.probes.States` has them.
        end: After training, or None if there is no measurement then.
        title: Text over the figure.

    Raises:
        ArgumentError: An array has not its number of axes, or is empty.
    """
    looks = [_Look("before training", start, style.START)]
    if end is not None:
        looks.append(_Look("after training", end, style.END))
    # The row of states stays even if no state is finite: its marks show that.
    rows = [row for row in _ROWS if row is _STATES or any(_known(row, look.states) for look in looks)]
    size = (_WIDTH * len(looks) + 0.6, _HEIGHT * len(rows) + 1.0)
    with style.paper_figure(path, size, title, "The hidden layer over time") as figure:
        panels = figure.subplots(len(rows), len(looks), sharex=True, sharey="row", squeeze=False)
        for row, axes_of_row in zip(rows, panels, strict=True):
            for axes, look in zip(axes_of_row, looks, strict=True):
                _draw(axes, row, look)
            _scale(axes_of_row[0], row)
        for axes, look in zip(panels[0], looks, strict=True):
            style.legend_above(axes, columns=3, heading=look.name, **_SPACING)
        for row, axes in zip(rows[1:], panels[1:, 0], strict=True):
            if row.names:
                style.legend_above(axes, columns=2, heading="", **_SPACING)
        figure.align_ylabels(panels[:, 0])  # only the first column has y labels
        for axes in panels[-1]:
            axes.set_xlabel("time step $t$")
            style.whole_numbers(axes.xaxis)


def symmetric_ticks(low: float, high: float) -> list[float]:
    """Return 0 and powers of ten of either sign between the limits, at most two a side.

    >>> symmetric_ticks(-3.0, 40.0), symmetric_ticks(-0.5, 2e6)
    ([-1.0, 0.0, 1.0, 10.0], [0.0, 1000.0, 1000000.0])
    """
    decades = math.floor(math.log10(max(-low, high)))
    stride = -(-decades // 2)
    exponents = [0, 1] if decades == 1 else list(range(stride, decades + 1, stride))
    powers = [10.0**exponent for exponent in exponents]
    return [tick for tick in [*(-power for power in reversed(powers)), 0.0, *powers] if low <= tick <= high]


def _known(row: _Row, states: _Curves) -> bool:
    return any(np.isfinite(values).any() for values in row.values(states))


def _draw(axes: Axes, row: _Row, look: _Look) -> None:
    values = row.values(look.states)
    time_steps = np.arange(1, len(values[0]) + 1)
    look_of_lines: dict[str, Any] = {"color": look.colour, "marker": "o" if len(time_steps) == 1 else ""}
    if row.names:
        for name, curve, dashes in zip(row.names, values, ("-", (0, (3, 1.5))), strict=True):
            axes.plot(time_steps, curve, linestyle=dashes, label=name, **look_of_lines)
    else:
        _draw_quantiles(axes, time_steps, values[0], look_of_lines)
    style.curve_axes(axes)


def _draw_quantiles(axes: Axes, time_steps: np.ndarray, quantiles: np.ndarray, look: dict[str, Any]) -> None:
    if np.isfinite(quantiles).any():
        axes.plot(time_steps, quantiles[:, _MEDIAN], label="median", **look)
        for name, low, high, alpha in reversed(_BANDS):
            edges = quantiles[:, low], quantiles[:, high]
            axes.fill_between(time_steps, *edges, color=look["color"], alpha=alpha, linewidth=0, label=name)
    lost = time_steps[np.isnan(quantiles).any(axis=1)]
    style.mark_edge(axes, lost, 0.96, "^", "not finite", style.VERMILLION)


def _scale(axes: Axes, row: _Row) -> None:
    """Scale the y axis that the row shares."""
    axes.set_ylabel(row.label)
    low, high = axes.get_ylim()
    if not row.names and max(-low, high) > _LARGEST_LINEAR:
        axes.set_yscale("symlog", linthresh=1.0)
        axes.autoscale_view()
        axes.set_yticks(symmetric_ticks(*axes.get_ylim()))
        axes.minorticks_off()
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=style.ROUND))
        axes.set_ylim(*row.limits)
