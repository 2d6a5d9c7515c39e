"""The tables of a page, over groups and over runs."""

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


class Entry(NamedTuple):
    """A cell of a table: its text, its sorting key ("" comes last), and its link."""

    text: str
    value: object
    link: str = ""


Row = dict[str, Entry]
"""A row of a table: the heading of a column -> its cell. All rows of a table have the same headings."""


def list_groups(groups: pd.DataFrame, keys: Sequence[str]) -> list[Row]:
    """Return a row for each group; columns of failures only if there are any."""
    counted = [name for name in _COUNTED if name in _ALWAYS or groups[name].any()]
    return [_group_row(row, keys, counted) for _, row in groups.iterrows()]


def list_runs(runs: pd.DataFrame, keys: Sequence[str]) -> list[Row]:
    """Return a row for each run, with links to its page in MLflow and to its folder."""
    return [_run_row(row, keys) for _, row in runs.iterrows()]


def _group_row(row: pd.Series, keys: Sequence[str], counted: Sequence[str]) -> Row:
    share = words.interval(words.percent, row["success_low"], row["success_high"]) or words.MISSING
    return {
        **{key: _key(row[key]) for key in keys},
        "n": _count(row["n"]),
        "solved": _count(row["solved"]),
        "95 % interval": Entry(share, _sortable(row["success_low"])),
        **{name.replace("_", " "): _count(row[name]) for name in counted},
        "out of steps": _count(row["budget_exhausted"]),
        "growth rate (nats per step)": _estimate(words.rate, row, "rate"),
        "mean field": _number(words.rate, row["predicted_rate"]),
        "decades": _number(words.decades, row["log10_ratio"]),
        "loss": _estimate(words.loss, row, "loss"),
        "floor": _number(words.loss, row["floor_loss"]),
        "error": _estimate(words.percent, row, "error"),
        "clipped": _number(words.percent, row["clip_fraction"]),
        "median steps to criterion": _median_steps(row),
    }


def _run_row(row: pd.Series, keys: Sequence[str]) -> Row:
    link = row["link"] if isinstance(row["link"], str) else ""
    folder = row["run_folder"] if isinstance(row["run_folder"], str) else ""
    address = f"file://{quote(folder)}" if folder else ""
    return {
        "run": Entry(row["run_name"], row["run_name"], link),
        **{key: _key(row[key]) for key in [*keys, "seed"]},
        "status": _word(row["status"]),
        "learning": _word(row["verdict.learning"]),
        "gradient": _word(row["verdict.gradient"]),
        "rate": _number(words.rate, row.get("grad/rate", math.nan)),
        "loss": _number(words.loss, row.get("val/loss", math.nan)),
        "error": _number(words.percent, row.get("val/error", math.nan)),
        "seconds": _number(lambda value: f"{value:.1f}", row["seconds"]),
        "files": Entry("folder" if folder else words.MISSING, folder, address),
    }


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
