"""The small multiples of a page: gradient over lag and loss over training, a chart for every group.

The figures are data for plotly.js. The `meta` of a trace says what it shows; the script of the page chooses
its colour by that, for light and dark pages and for print.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rnnexp.analysis.columns import shown
from rnnexp.analysis.groups import LEARNING
from rnnexp.plotting import style
from rnnexp.report.html import words
from rnnexp.report.html.axes import Axes
from rnnexp.report.html.curves import Band, Curves, Generalization
from rnnexp.report.html.ranges import Range, loss_range, profile_range

_MARGIN = 0.04  # of the axes of an error against the length
_DIGITS = 4  # significant digits: a pixel is 1/200 of a chart, and charts can be magnified

Trace = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Chart:
    """What the page draws.

    Attributes:
        group: The number of the group.
        title: What the group is.
        caption: Its numbers.
        figure: `kind`, the ranges `x` and `y`, and the traces `data`, as JSON takes them.
    """

    group: int
    title: str
    caption: str
    figure: Mapping[str, Any]


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
        for y in [profile_range([curves[index] for index in members])]
        for index in members
    ]


def loss_charts(groups: pd.DataFrame, curves: Mapping[int, Curves]) -> list[Chart]:
    """Return the loss over training with its floor, of the groups that trained; arguments as above."""
    trained = {index: found for index, found in curves.items() if np.isfinite(found.loss.middle).any()}
    if not trained:
        return []
    last = max(_last_step(found) for found in trained.values())
    y = loss_range(groups["floor_loss"].to_numpy(np.float64), list(trained.values()))
    return [_loss(index, groups.iloc[index], found, last, y) for index, found in trained.items()]


def length_charts(groups: pd.DataFrame, curves: Mapping[int, Curves]) -> list[Chart]:
    """Return the error at other lengths, of the groups that were scored there; arguments as above."""
    scored = {index: found.generalization for index, found in curves.items() if found.generalization}
    return [_generalization(index, groups.iloc[index], found) for index, found in scored.items()]


def _generalization(index: int, row: pd.Series, found: Generalization) -> Chart:
    x, (shortest, longest) = found.error.x, found.trained
    ends = float(min(x[0], shortest)), float(max(x[-1], longest))
    error = {"meta": "error", "x": _numbers(x), "y": _numbers(found.error.middle), **_range(found.error)}
    floor = {"meta": "floor", "x": _numbers(x), "y": _numbers(found.floor_error)}
    criterion = {"meta": "criterion", "x": [*ends], "y": _numbers([found.criterion] * 2)}
    trained = {"meta": "trained", "x": [shortest, longest], "y": [0.0, 0.0]}
    margin = _MARGIN * math.log10(ends[1] / ends[0]) or _MARGIN
    top = 1.05 * float(np.nanmax([*found.error.high, *found.floor_error, 0.1]))
    figure = {
        "kind": "lengths",
        "x": _numbers([math.log10(ends[0]) - margin, math.log10(ends[1]) + margin]),
        "y": {"range": _numbers([-_MARGIN * top, top]), "type": "linear"},
        "data": [trained, *([criterion] if math.isfinite(found.criterion) else []), floor, error],
    }
    told = words.percent(float(found.error.middle[-1]))
    return Chart(index, row["label"], f"error {told} at {words.steps(float(x[-1]))}", figure)


def _range(band: Band) -> Trace:
    """Return the range over seeds as `customdata`, where there is one."""
    if np.array_equal(band.low, band.high, equal_nan=True):
        return {}
    return {"customdata": [*map(list, zip(_numbers(band.low), _numbers(band.high), strict=True))]}


def _last_step(curves: Curves) -> float:
    return float(np.concatenate([curves.loss.x, curves.validation[0]]).max())


def _profile(index: int, row: pd.Series, curves: Curves, y: Range) -> Chart:
    last = float(curves.end.x[-1])
    far = last * style.NATS_TO_DECADES
    theory = [("theory", row["predicted_rate"]), ("bound", row["rate_bound"])]
    data = [
        *(_line(name, last, 0.0, far * rate) for name, rate in theory if math.isfinite(rate)),
        _curve("start", curves.start),
        _curve("end", curves.end),
    ]
    return Chart(index, row["label"], _profile_caption(row), _figure("profile", max(last, 1.0), y, data))


def _loss(index: int, row: pd.Series, curves: Curves, last: float, y: Range) -> Chart:
    floor = row["floor_loss"]
    data = [
        *([_line("floor", last, floor, floor)] if math.isfinite(floor) else []),
        *([_clipping(curves)] if np.nansum(curves.clipped) > 0 else []),
        _curve("loss", curves.loss),
        _marks("validation", zip(*curves.validation, strict=True), y),
        _marks("diverged", curves.diverged, y),
    ]
    return Chart(index, row["label"], _loss_caption(row), _figure("loss", last, y, data))


def _figure(kind: str, last: float, y: Range, data: list[Trace]) -> dict[str, Any]:
    return {
        "kind": kind,
        "x": [0.0, last],
        "y": {"range": _numbers([y.low, y.high]), "type": "log" if y.log else "linear"},
        "data": [trace for trace in data if trace["y"]],
    }


def _curve(meta: str, band: Band) -> Trace:
    """Return the median over seeds; `customdata` holds the range, where there is one."""
    return {"meta": meta, **_even(band.x), "y": _numbers(band.middle), **_range(band)}


def _line(meta: str, last: float, left: float, right: float) -> Trace:
    return {"meta": meta, "x": [0.0, last], "y": _numbers([left, right])}


def _clipping(curves: Curves) -> Trace:
    edges = np.linspace(0, curves.loss.x[0] + curves.loss.x[-1], len(curves.clipped) + 1)
    return {"meta": "clipped", **_even((edges[:-1] + edges[1:]) / 2), "y": _numbers(curves.clipped)}


def _marks(meta: str, places: Any, y: Range) -> Trace:
    """Return a trace of symbols; those beyond the frame are at its edge, with the value in `text`."""
    kept = [(float(step), float(loss)) for step, loss in places if math.isfinite(loss)]
    return {
        "meta": meta,
        "x": [step for step, _ in kept],
        "y": _numbers([y.inside(loss) for _, loss in kept]),
        "text": [words.loss(loss) for _, loss in kept],
    }


def _even(x: np.ndarray) -> Trace:
    """Return equally spaced places as the first one and the distance."""
    return {"x0": float(x[0]), "dx": float(x[1] - x[0]) if len(x) > 1 else 1.0}


def _numbers(values: Any) -> list[float | None]:
    """Return numbers rounded to `_DIGITS` digits, with None for those that are not finite."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values]


def _profile_caption(row: pd.Series) -> str:
    if not math.isfinite(row["rate"]):
        return "no finite rate at the end"
    found = words.estimate(words.rate, row["rate"], row["rate_low"], row["rate_high"])
    theory = (
        f", mean field {words.rate(row['predicted_rate'])}" if math.isfinite(row["predicted_rate"]) else ""
    )
    return f"rate {found}{theory}"


def _loss_caption(row: pd.Series) -> str:
    ends = [
        f"{row[name]} {name.replace('_', ' ')}"
        for name in (*LEARNING, "failed", "killed", "running")
        if row[name]
    ]
    loss = f"loss {words.loss(row['loss'])}" if math.isfinite(row["loss"]) else ""
    return ", ".join([*ends, *([loss] if loss else [])])
