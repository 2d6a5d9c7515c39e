"""Writes the files of a report from a table over runs."""

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from rnnexp.analysis import save_table
from rnnexp.analysis.files import collect_files
from rnnexp.analysis.groups import latest
from rnnexp.report.html.axes import arranged
from rnnexp.report.html.curves import Curves, group_curves, read_arrays
from rnnexp.report.html.page import MOST_CHARTS, render
from rnnexp.report.html.provenance import recipe
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.links import open_command

_TABLES = ("runs.csv", "runs.parquet", "groups.csv", "groups.parquet")


@dataclasses.dataclass(frozen=True)
class Report:
    """The files of a report, and the table over groups.

    Attributes:
        page: The HTML file.
        tables: `runs.csv`, `groups.csv` and the same as `.parquet`.
        groups: The table over groups.
        keys: The keys that vary.
    """

    page: Path
    tables: list[Path]
    groups: pd.DataFrame
    keys: list[str]


def write_report(runs: pd.DataFrame, page: Path, address: str | None = None) -> Report:
    """Write the page and, beside it, the tables over runs and over groups: all of them or none.

    Args:
        runs: From `load_runs`.
        page: The HTML file; its folder is made.
        address: The tracking address that the runs come from, None for folders.

    Raises:
        ArgumentError: The arrays of a run are damaged, or the page has the name of a table.
    """
    if page.name in _TABLES:
        raise ArgumentError("page", f"another name than {', '.join(_TABLES)}", page.name)
    groups, keys, axes = arranged(runs)
    with tempfile.TemporaryDirectory() as downloads:
        curves = _curves(runs, groups[:MOST_CHARTS], address, Path(downloads))
        made = recipe(runs, keys, _overrides(runs, address, Path(downloads)))
    text = render(runs, groups, keys, axes, curves, made, None if address is None else open_command(address))
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=page.parent) as folder:
        draft = Path(folder) / page.name
        draft.write_text(text, encoding="utf-8")
        drafts = [
            save_table(table, draft.with_name(name))
            for name, table in zip(_TABLES, (runs, runs, groups, groups), strict=True)
        ]
        _, *tables = _put_in_place([draft, *drafts], page.parent)
    return Report(page, tables, groups, keys)


def _put_in_place(drafts: Sequence[Path], folder: Path) -> list[Path]:
    """Move every draft into `folder`, replacing the file of its name; if one move fails, undo all."""
    with contextlib.ExitStack() as back:
        places = []
        for draft in drafts:
            place = folder / draft.name
            if place.exists():
                before = draft.with_name(f"{draft.name}.before")
                shutil.copy2(place, before)
                back.callback(before.replace, place)
            else:
                back.callback(place.unlink, missing_ok=True)
            places.append(draft.replace(place))
        back.pop_all()
    return places


def _curves(runs: pd.DataFrame, groups: pd.DataFrame, address: str | None, into: Path) -> dict[int, Curves]:
    """Return the curves of all groups that have arrays, by the number of the group."""
    shown = latest(runs[runs["group_hash"].isin(groups["group_hash"])])
    files = collect_files(shown, "gradient_flow.npz", address, into)
    there = shown[shown["run_id"].isin(files)].reindex(columns=["run_id", "group_hash", "diverged_at"])
    found: dict[int, Curves] = {}
    for index, name in enumerate(groups["group_hash"]):
        members = there[there["group_hash"] == name]
        if len(members):
            arrays = [read_arrays(files[run]) for run in members["run_id"]]
            found[index] = group_curves(arrays, members["diverged_at"].tolist())
    return found


def _overrides(runs: pd.DataFrame, address: str | None, into: Path) -> list[str]:
    """Return the overrides of the first run, or nothing if they are not known."""
    files = collect_files(runs[:1], "overrides.yaml", address, into)
    return [text for path in files.values() for text in yaml.safe_load(path.read_text(encoding="utf-8"))]
