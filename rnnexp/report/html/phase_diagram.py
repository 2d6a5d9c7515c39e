"""The phase diagram: a colour for every group, over the keys that vary."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import pandas as pd

from rnnexp.analysis.columns import shown
from rnnexp.plotting.colour_scale import AMOUNT, BALANCE, Scale, ink
from rnnexp.plotting.phase_diagram import Cell, Legend, Panel
from rnnexp.report.html import words
from rnnexp.report.html.axes import Axes, values_of

NAMES = ("success", "rate", "ratio", "loss", "clip")
"""The names of all quantities."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A quantity that the colours can show.

    Attributes:
        name: One of `NAMES`.
        title: For the reader.
        column: Of the table over groups; of the loss, the column as a share of `floor_loss`.
        form: A value as text.
        scale: The colours.
    """

    name: str
    title: str
    column: str
    form: Callable[[float], str]
    scale: Scale

    @property
    def legend(self) -> Legend:
        """What the colours mean."""
        return Legend(self.title, self.scale.stops, self.form(self.scale.low), self.form(self.scale.high))

    def texts(self, row: pd.Series) -> tuple[str, str]:
        """Return the number in the cell of a group and the text under it."""
        if self.name == "success":
            solved = f"{row['solved']} of {row['n']}" if row["n"] else words.MISSING
            return solved, words.interval(words.percent, row["success_low"], row["success_high"])
        number = self.form(row[self.column])
        if self.name == "loss":
            return number, words.loss(row["loss"]) if math.isfinite(row["loss"]) else ""
        return number, words.interval(self.form, row[f"{self.column}_low"], row[f"{self.column}_high"])


def quantities(groups: pd.DataFrame) -> list[Quantity]:
    """Return the quantities that at least one of the groups has, in the order of `NAMES`."""
    rates, ratios = (
        Scale(-most, most, BALANCE) for most in map(reach, (groups["rate"], groups["log10_ratio"]))
    )
    known = [
        Quantity("success", "runs solved", "success_rate", words.percent, Scale(0, 1, AMOUNT)),
        Quantity("rate", "growth rate (nats per step)", "rate", words.rate, rates),
        Quantity("ratio", "gradient from h_T to h_1 (decades)", "log10_ratio", words.decades, ratios),
        Quantity(
            "loss",
            "loss, share of the best constant's",
            "relative_loss",
            words.percent,
            Scale(0, 1, AMOUNT[::-1]),
        ),
        Quantity("clip", "updates clipped", "clip_fraction", words.percent, Scale(0, 1, AMOUNT)),
    ]
    full = _with_relative_loss(groups)
    return [each for each in known if each.name == "success" or full[each.column].abs().gt(0).any()]


def reach(values: pd.Series) -> float:
    """Return the largest finite size, 1 where there is none."""
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0) or 1.0


def diagrams(groups: pd.DataFrame, axes: Axes, shown_quantities: Sequence[Quantity]) -> list[Panel]:
    """Return one diagram for each combination of the panels' values.

    Args:
        groups: From `axes.arranged`; the index numbers them.
        axes: Where the keys go.
        shown_quantities: From `quantities`.
    """
    full = _with_relative_loss(groups)
    titles = [", ".join(f"{key} {shown(row[key])}" for key in axes.panels) for _, row in full.iterrows()]
    columns = [shown(x) for x in values_of(groups, axes.x)]
    panels = []
    for title, part in full.groupby(pd.Series(titles, full.index, dtype=str), sort=False):
        cells = {_place(row, axes): _cell(row, shown_quantities) for _, row in part.iterrows()}
        rows = [shown(y) for y in values_of(part, axes.y)]
        panels.append(Panel(str(title), columns, [(y, [cells.get((y, x)) for x in columns]) for y in rows]))
    return panels


def _place(row: pd.Series, axes: Axes) -> tuple[str, str]:
    """Return the values of y and x, "" where there is no such key."""
    return "" if axes.y is None else shown(row[axes.y]), "" if axes.x is None else shown(row[axes.x])


def _with_relative_loss(groups: pd.DataFrame) -> pd.DataFrame:
    return groups.assign(relative_loss=groups["loss"] / groups["floor_loss"])


def _cell(row: pd.Series, shown_quantities: Sequence[Quantity]) -> Cell:
    ends = [(row[name], name) for name in ("diverged", "failed", "killed", "running")]
    known = [each for each in shown_quantities if math.isfinite(row[each.column])]
    backgrounds = {each.name: each.scale(row[each.column]) for each in known}
    return Cell(
        group=int(str(row.name)),
        label=row["label"],
        texts={each.name: each.texts(row) for each in shown_quantities},
        colours={name: (background, ink(background)) for name, background in backgrounds.items()},
        notes=", ".join(f"{number} {name}" for number, name in ends if number),
        diverged=row["diverged"] > 0,
    )
