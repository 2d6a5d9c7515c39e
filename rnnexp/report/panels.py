"""The small multiples of a page: gradient over lag and loss over training, a chart for every group."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from rnnexp.analysis.columns import shown
from rnnexp.report import chart, words
from rnnexp.report.axes import Axes
from rnnexp.report.chart import Axis, Tick
from rnnexp.report.curves import Band, Curves

_DECADES = 1 / math.log(10)
_NEAREST, _FURTHEST = 3.0, 30.0
"""Decades that an axis shows at least, so that noise looks like noise, and at most: float32 holds 38."""

_HIGHEST = 30.0  # times the largest floor: where the axis of the loss ends at the latest
_USUAL = 0.98  # share of a training curve that the axis must hold: short peaks may leave it


@dataclasses.dataclass(frozen=True)
class Mark:
    """A symbol at a place."""

    x: float
    y: float
    style: str


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of the clip strip: from where, how wide, how strong."""

    x: float
    width: float
    share: float


@dataclasses.dataclass(frozen=True)
class Chart:
    """What the page draws.

    Attributes:
        group: The number of the group.
        title: What the group is.
        caption: Its numbers.
        x_ticks: Of the horizontal axis.
        y_ticks: Of the vertical axis.
        areas: (style, path) of filled parts.
        lines: (style, path).
        marks: Symbols.
        strip: Shares of clipped updates along the lower edge.
    """

    group: int
    title: str
    caption: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    areas: Sequence[tuple[str, str]]
    lines: Sequence[tuple[str, str]]
    marks: Sequence[Mark] = ()
    strip: Sequence[Tile] = ()


def profile_charts(groups: pd.DataFrame, axes: Axes, curves: Mapping[int, Curves]) -> list[Chart]:
    """Return log10 of ||dl/dh_t|| over ||dl/dh_T|| against the lag, start and end, with the lines of theory.

    Args:
        groups: From `analysis.group_runs`, in the order of the page.
        axes: Where the keys go: groups that differ in x only have a common vertical axis.
        curves: Number of a group -> its curves.
    """
    rows: dict[tuple[str, ...], list[int]] = {}
    for index in curves:
        place = tuple(shown(groups.at[index, key]) for key in axes.order if key != axes.x)
        rows.setdefault(place, []).append(index)
    return [
        _profile(index, groups.iloc[index], curves[index], y)
        for members in rows.values()
        for y in [_profile_axis([curves[index] for index in members])]
        for index in members
    ]


def loss_charts(groups: pd.DataFrame, curves: Mapping[int, Curves]) -> list[Chart]:
    """Return the loss over training with its floor, of the groups that trained; arguments as above."""
    trained = {index: found for index, found in curves.items() if np.isfinite(found.loss.middle).any()}
    if not trained:
        return []
    x = chart.x_axis(0, max(_last_step(found) for found in trained.values()))
    y = _loss_axis(groups["floor_loss"].to_numpy(np.float64), list(trained.values()))
    return [_loss(index, groups.iloc[index], found, x, y) for index, found in trained.items()]


def _last_step(curves: Curves) -> float:
    return float(np.concatenate([curves.loss.x, curves.validation[0]]).max())


def _profile(index: int, row: pd.Series, curves: Curves, y: Axis) -> Chart:
    lags = curves.end.x
    x = chart.x_axis(0, max(float(lags[-1]), 1.0))
    theory = [("theory", row["predicted_rate"]), ("bound", row["rate_bound"])]
    return Chart(
        group=index,
        title=row["label"],
        caption=_profile_caption(row),
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
        areas=[(name, _area(x, y, band)) for name, band in (("start", curves.start), ("end", curves.end))],
        lines=[
            *((name, _slope(x, y, lags, rate)) for name, rate in theory if math.isfinite(rate)),
            ("start", chart.line(x(lags), y(curves.start.middle))),
            ("end", chart.line(x(lags), y(curves.end.middle))),
        ],
    )


def _profile_axis(curves: Sequence[Curves]) -> Axis:
    bands = [band for found in curves for band in (found.start, found.end)]
    values = np.concatenate([[0.0], *(part for band in bands for part in (band.low, band.high))])
    values = values[np.isfinite(values)]
    low, high = max(float(values.min()), -_FURTHEST), min(float(values.max()), _FURTHEST)
    return chart.y_axis(min(low, high - _NEAREST), high)


def _profile_caption(row: pd.Series) -> str:
    if not math.isfinite(row["rate"]):
        return "no finite rate at the end"
    found = words.estimate(words.rate, row["rate"], row["rate_low"], row["rate_high"])
    theory = (
        f", mean field {words.rate(row['predicted_rate'])}" if math.isfinite(row["predicted_rate"]) else ""
    )
    return f"rate {found}{theory}"


def _slope(x: Axis, y: Axis, lags: np.ndarray, rate: float) -> str:
    ends = np.array([0.0, float(lags[-1])])
    return chart.line(x(ends), y(ends * rate * _DECADES))


def _area(x: Axis, y: Axis, band: Band) -> str:
    return chart.area(x(band.x), y(band.low), y(band.high))


def _loss(index: int, row: pd.Series, curves: Curves, x: Axis, y: Axis) -> Chart:
    steps, losses = curves.validation
    lines = [("end", chart.line(x(curves.loss.x), y(curves.loss.middle)))]
    if math.isfinite(row["floor_loss"]):
        floor = y(np.full(2, row["floor_loss"]))
        lines.insert(0, ("floor", chart.line(np.array([chart.LEFT, chart.RIGHT]), floor)))
    validated = zip(x(steps), y(losses), strict=True)
    return Chart(
        group=index,
        title=row["label"],
        caption=_loss_caption(row),
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
        areas=[("end", _area(x, y, curves.loss))],
        lines=lines,
        marks=[
            *_marks("validation", validated),
            *_marks("diverged", ((float(x(step)), float(y(loss))) for step, loss in curves.diverged)),
        ],
        strip=_strip(x, curves),
    )


def _marks(style: str, places: Iterable[tuple[float, float]]) -> list[Mark]:
    """Return symbols, those beyond the frame at its edge."""
    return [
        Mark(round(float(across), 1), round(min(max(float(down), chart.TOP + 4), chart.BOTTOM - 4), 1), style)
        for across, down in places
        if math.isfinite(across) and math.isfinite(down)
    ]


def _strip(x: Axis, curves: Curves) -> list[Tile]:
    edges = x(np.linspace(0, curves.loss.x.max(), len(curves.clipped) + 1))
    return [
        Tile(round(float(left), 1), round(float(right - left) + 0.2, 1), round(float(share), 2))
        for left, right, share in zip(edges[:-1], edges[1:], curves.clipped, strict=True)
        if share > 0
    ]


def _loss_axis(floors: np.ndarray, curves: Sequence[Curves]) -> Axis:
    """Span the floors and what is usual where no run diverged: a loss bound for infinity leaves the frame."""
    parts = [_usual(found) for found in curves if not found.diverged]
    values = np.concatenate([floors, *parts])
    values = values[np.isfinite(values)]
    if not values.size:
        return chart.y_axis(0.0, 1.0)
    low, high = (
        float(values.min()),
        min(float(values.max()), _HIGHEST * float(np.nanmax(floors, initial=0.0))),
    )
    return (
        chart.y_axis(low, high, positive=True) if parts else chart.y_axis(low / 10, high * 10, positive=True)
    )


def _usual(curves: Curves) -> np.ndarray:
    finite = [part[np.isfinite(part)] for part in (curves.loss.low, curves.loss.high, curves.validation[1])]
    return np.concatenate([np.quantile(part, [1 - _USUAL, _USUAL]) for part in finite if part.size])


def _loss_caption(row: pd.Series) -> str:
    ends = [
        f"{row[name]} {name.replace('_', ' ')}"
        for name in ("solved", "learning", "at_chance", "diverged", "failed", "killed", "running")
        if row[name]
    ]
    loss = f"loss {words.loss(row['loss'])}" if math.isfinite(row["loss"]) else ""
    return ", ".join([*ends, *([loss] if loss else [])])
