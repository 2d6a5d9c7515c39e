"""The phase diagram: a colour for every group, over the keys that vary."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from rnnexp.analysis.columns import Value, shown
from rnnexp.plotting import colour_scale
from rnnexp.report.html import words
from rnnexp.report.html.axes import Axes, pick, values_of


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A quantity that the colours can show.

    Attributes:
        name: Short, for the page's own use.
        title: For the reader.
        column: Of the table over groups; of the loss, the column as a share of `floor_loss`.
        big: A row -> the number in the cell.
        small: A row -> the text under the number.
        scale: The colours.
    """

    name: str
    title: str
    column: str
    big: Callable[[pd.Series], str]
    small: Callable[[pd.Series], str]
    scale: colour_scale.Scale

    def value(self, row: pd.Series) -> float:
        """Return the value of a group, nan where it has none."""
        return float(row[self.column])

    @property
    def legend(self) -> tuple[str, str, str]:
        """The colours as a CSS gradient, and the words at its ends."""
        form = _FORMS[self.name]
        return ", ".join(self.scale.stops), form(self.scale.low), form(self.scale.high)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A group in the diagram.

    Attributes:
        group: Its number in the table over groups.
        label: What it is.
        texts: Quantity -> the number and the text under it.
        colours: Quantity -> colours of background and text.
        notes: How many runs diverged or failed.
        diverged: Whether a run of it diverged.
    """

    group: int
    label: str
    texts: dict[str, tuple[str, str]]
    colours: dict[str, tuple[str, str]]
    notes: str
    diverged: bool


@dataclasses.dataclass(frozen=True)
class Panel:
    """One diagram: `rows` of (value of y, cells over x; None where nothing was run)."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell | None]]]


_FORMS: dict[str, Callable[[float], str]] = {
    "success": words.percent,
    "rate": words.rate,
    "ratio": words.decades,
    "loss": words.percent,
    "clip": words.percent,
}


NAMES = ("success", "rate", "ratio", "loss", "clip")
"""The names of all quantities."""


def quantities(groups: pd.DataFrame) -> list[Quantity]:
    """Return the quantities that at least one of the groups has, in the order of `NAMES`."""
    relative = groups.assign(relative_loss=groups["loss"] / groups["floor_loss"])
    known = [
        Quantity("success", "runs solved", "success_rate", _solved, _wilson, colour_scale.amount(0, 1)),
        Quantity(
            "rate",
            "growth rate (nats per step)",
            "rate",
            lambda row: words.rate(row["rate"]),
            lambda row: words.interval(words.rate, row["rate_low"], row["rate_high"]),
            colour_scale.balance(colour_scale.reach(groups["rate"].tolist())),
        ),
        Quantity(
            "ratio",
            "gradient from h_T to h_1 (decades)",
            "log10_ratio",
            lambda row: words.decades(row["log10_ratio"]),
            lambda row: words.interval(words.decades, row["log10_ratio_low"], row["log10_ratio_high"]),
            colour_scale.balance(colour_scale.reach(groups["log10_ratio"].tolist())),
        ),
        Quantity(
            "loss",
            "loss, share of the best constant's",
            "relative_loss",
            lambda row: words.percent(row["relative_loss"]),
            lambda row: words.loss(row["loss"]) if math.isfinite(row["loss"]) else "",
            colour_scale.shortfall(0, 1),
        ),
        Quantity(
            "clip",
            "updates clipped",
            "clip_fraction",
            lambda row: words.percent(row["clip_fraction"]),
            lambda row: words.percents(row["clip_fraction_low"], row["clip_fraction_high"]),
            colour_scale.amount(0, 1),
        ),
    ]
    return [
        quantity
        for quantity in known
        if relative[quantity.column].abs().gt(0).any() or quantity.name == "success"
    ]


def diagrams(groups: pd.DataFrame, axes: Axes, shown_quantities: Sequence[Quantity]) -> list[Panel]:
    """Return one diagram for each combination of the panels' values.

    Args:
        groups: From `analysis.group_runs`; the index numbers them.
        axes: Where the keys go.
        shown_quantities: From `quantities`.
    """
    full = groups.assign(relative_loss=groups["loss"] / groups["floor_loss"])
    columns = values_of(groups, axes.x)
    return [
        Panel(
            title=title,
            columns=[shown(value) if axes.x else "" for value in columns],
            rows=[
                (shown(y) if axes.y else "", [_cell(pick(row, axes.x, x), shown_quantities) for x in columns])
                for y in values_of(groups, axes.y)
                for row in [pick(part, axes.y, y)]
                if len(row)
            ],
        )
        for title, part in _parts(full, axes.panels)
    ]


def _parts(
    groups: pd.DataFrame, keys: Sequence[str], title: Sequence[str] = ()
) -> Iterator[tuple[str, pd.DataFrame]]:
    if not len(groups):
        return
    if not keys:
        yield ", ".join(title), groups
        return
    for value in values_of(groups, keys[0]):
        yield from _parts(pick(groups, keys[0], value), keys[1:], [*title, _named(keys[0], value)])


def _named(key: str, value: Value) -> str:
    return f"{key} {shown(value)}"


def _cell(part: pd.DataFrame, shown_quantities: Sequence[Quantity]) -> Cell | None:
    if not len(part):
        return None
    row = part.iloc[0]
    return Cell(
        group=int(part.index[0]),
        label=row["label"],
        texts={quantity.name: (quantity.big(row), quantity.small(row)) for quantity in shown_quantities},
        colours={
            quantity.name: (background, colour_scale.ink(background))
            for quantity in shown_quantities
            if math.isfinite(value := quantity.value(row))
            for background in [quantity.scale(value)]
        },
        notes=_notes(row),
        diverged=row["diverged"] > 0,
    )


def _solved(row: pd.Series) -> str:
    return f"{row['solved']} of {row['n']}" if row["n"] else words.MISSING


def _wilson(row: pd.Series) -> str:
    return words.percents(row["success_low"], row["success_high"])


def _notes(row: pd.Series) -> str:
    ends = [(row[name], name) for name in ("diverged", "failed", "killed", "running")]
    return ", ".join(f"{number} {name}" for number, name in ends if number)
