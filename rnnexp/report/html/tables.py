"""The tables of a page, over groups and over runs."""

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

import pandas as pd

from rnnexp.analysis.columns import shown
from rnnexp.report.html import words

_COUNTED = ("learning", "at_chance", "worse_than_chance", "diverged", "failed", "killed", "running")
_ALWAYS = ("learning", "at_chance", "diverged")
_OF_GROUPS = (
    *("out of steps", "growth rate (nats per step)", "mean field", "decades", "loss", "floor", "error"),
    *("clipped", "median steps to criterion"),
)
_OF_RUNS = ("seed", "status", "learning", "gradient", "rate", "loss", "error", "seconds", "files")


class Entry(NamedTuple):
    """A cell of a table: its text, its sorting key ("" comes last), and its link."""

    text: str
    value: object
    link: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """A table that can be sorted."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Entry]]


def list_groups(groups: pd.DataFrame, keys: Sequence[str]) -> Listing:
    """Return a row for each group; columns of failures only if there are any."""
    counted = [name for name in _COUNTED if name in _ALWAYS or groups[name].any()]
    said = [name.replace("_", " ") for name in counted]
    return Listing(
        [*keys, "n", "solved", "95 % interval", *said, *_OF_GROUPS],
        [_group_row(row, keys, counted) for _, row in groups.iterrows()],
    )


def list_runs(runs: pd.DataFrame, keys: Sequence[str]) -> Listing:
    """Return a row for each run, with links to its page in MLflow and to its folder."""
    return Listing(["run", *keys, *_OF_RUNS], [_run_row(row, keys) for _, row in runs.iterrows()])


def _group_row(row: pd.Series, keys: Sequence[str], counted: Sequence[str]) -> list[Entry]:
    interval = words.interval(words.percent, row["success_low"], row["success_high"]) or words.MISSING
    return [
        *(_key(row[key]) for key in keys),
        _count(row["n"]),
        _count(row["solved"]),
        Entry(interval, _sortable(row["success_low"])),
        *(_count(row[name]) for name in counted),
        _count(row["budget_exhausted"]),
        _estimate(words.rate, row, "rate"),
        _number(words.rate, row["predicted_rate"]),
        _number(words.decades, row["log10_ratio"]),
        _estimate(words.loss, row, "loss"),
        _number(words.loss, row["floor_loss"]),
        _estimate(words.percent, row, "error"),
        _number(words.percent, row["clip_fraction"]),
        _median_steps(row),
    ]


def _run_row(row: pd.Series, keys: Sequence[str]) -> list[Entry]:
    link = row["link"] if isinstance(row["link"], str) else ""
    folder = row["run_folder"] if isinstance(row["run_folder"], str) else ""
    measured = [("grad/rate", words.rate), ("val/loss", words.loss), ("val/error", words.percent)]
    return [
        Entry(row["run_name"], row["run_name"], link),
        *(_key(row[key]) for key in [*keys, "seed"]),
        *(_word(row[key]) for key in ("status", "verdict.learning", "verdict.gradient")),
        *(_number(form, row.get(key, math.nan)) for key, form in measured),
        _number(lambda value: f"{value:.1f}", row["seconds"]),
        Entry("folder" if folder else words.MISSING, folder, f"file://{quote(folder)}" if folder else ""),
    ]


def _key(value: object) -> Entry:
    return Entry(shown(value), "" if shown(value) == "-" else value)


def _count(number: int) -> Entry:
    return Entry(str(number), number)


def _word(value: object) -> Entry:
    text = value.lower().replace("_", " ") if isinstance(value, str) else words.MISSING
    return Entry(text, text)


def _number(form: Callable[[float], str], value: float) -> Entry:
    return Entry(form(value) if math.isfinite(value) else words.MISSING, _sortable(value))


def _estimate(form: Callable[[float], str], row: pd.Series, name: str) -> Entry:
    text = words.estimate(form, row[name], row[f"{name}_low"], row[f"{name}_high"])
    return Entry(text, _sortable(row[name]))


def _median_steps(row: pd.Series) -> Entry:
    value, low, high = (row[f"median_steps{end}"] for end in ("", "_low", "_high"))
    # Beyond the budget is later than every step, and sorted so; unknown comes last.
    return Entry(
        words.median_steps(value, low, high), "" if math.isnan(value) else min(value, sys.float_info.max)
    )


def _sortable(value: float) -> float | str:
    return float(value) if math.isfinite(value) else ""
