"""The command line of the report: a sweep as one page, or the figures of one run."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console
from rich.table import Table

from rnnexp.analysis import load_runs
from rnnexp.analysis.columns import known_sweeps, shown
from rnnexp.analysis.runs import store_address
from rnnexp.plotting.run_figures import FORMATS
from rnnexp.report import figures
from rnnexp.report.html import words
from rnnexp.report.html.write import Report, write_report
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.places import COMMAND
from rnnexp.tracking.parent_run import keep_with_parent

_FILTER = re.compile(r"[=<>]|\bI?LIKE\b|\bIN\b", re.IGNORECASE)
_PIPE = 120  # characters a line, where nobody says how wide the reader is
_UNSAFE = re.compile(r"[^\w.-]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report that the command line asks for; return 0, or 2 after one sentence on what is wrong.

    Interrupted (Ctrl-C) it returns 130 and leaves what was there before.
    """
    options = _parser().parse_args(arguments)
    try:
        _report(options)
    except ArgumentError as error:
        print(f"{COMMAND} report: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{COMMAND} report: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{COMMAND} report",
        description="Write a sweep as one HTML file that needs nothing else; beside it the tables over runs "
        "and over groups (everything but the seed equal) as .csv and .parquet. Of a single run, named by its "
        "folder or its id in MLflow, draw the figures again.",
    )
    parser.add_argument(
        "selection",
        nargs="?",
        help="id of a sweep, or an MLflow filter such as \"params.activation = 'relu'\" "
        "(default: the newest sweep); or the folder of a run, or its id in MLflow",
    )
    parser.add_argument("--all", action="store_true", help="every run, of whatever sweep")
    parser.add_argument(
        "--where",
        metavar="ADDRESS_OR_FOLDER",
        help="tracking address, SQLite file, or folder of runs with tracking=none "
        "(default: MLFLOW_TRACKING_URI, else mlflow.db, beside run.py or in this folder)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE_OR_FOLDER",
        help="the HTML file (default: report.html in the folder of the sweep); "
        "of a run the folder for its figures (default: figures in the folder of the run)",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="of a run's figures (default: figures.format of its configuration)",
    )
    return parser


def _report(options: argparse.Namespace) -> None:
    if options.selection is not None and not options.all and figures.is_run(options.selection):
        _draw_again(options)
        return
    if options.format is not None:
        raise ArgumentError("--format", "a run's folder or id beside it", options.selection or "no run")
    _write(options)


def _draw_again(options: argparse.Namespace) -> None:
    try:
        drawn = figures.redraw(options.selection, options.where, options.out, options.format)
    except OSError as error:
        expected = f"a folder that can be written ({error.strerror})"
        raise ArgumentError("--out", expected, str(error.filename)) from error
    names = ", ".join(path.name for path in drawn.paths)
    print(f"figures  {drawn.paths[0].parent.resolve()}: {names}")
    if drawn.lacking:
        lacking = ", ".join(f"{figure} (no {name})" for figure, name in drawn.lacking.items())
        print(f"not drawn, as the run does not have the arrays: {lacking}")


class Written(NamedTuple):
    """A report, and the run in MLflow that keeps it too: None where there is none."""

    report: Report
    kept: str | None


def write(
    where: str | os.PathLike | None, sweep: str | None, filter: str | None = None, out: Path | None = None
) -> Written:
    """Write the report of a sweep, or of the runs that a filter finds, and keep it with the sweep's run.

    Args:
        where: As of `load_runs`, like `sweep` and `filter`.
        sweep: As above.
        filter: As above.
        out: The HTML file; None: `report.html` in the folder of the sweep.

    Raises:
        ArgumentError: There are no such runs, or the file cannot be written.
    """
    runs, address = load_runs(where, sweep, filter), store_address(where)
    page = _default_page(runs) if out is None else out
    try:
        report = write_report(runs, page, address)
    except OSError as error:
        raise ArgumentError("--out", f"a file that can be written ({error.strerror})", str(page)) from error
    # What a filter finds may be a part of a sweep: no report of the whole.
    parents: list[str] = [] if filter else runs["parent_id"].unique().tolist()
    return Written(report, keep_with_parent(parents, [report.page, *report.tables], address))


def _write(options: argparse.Namespace) -> None:
    report, kept = write(options.where, *_selection(options), options.out)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE)
    console.print(_table(report))
    console.print(f"report  {report.page.resolve()}", soft_wrap=True, highlight=False)
    if kept is not None:
        console.print(f"kept as artifacts of the sweep's run {kept} too", soft_wrap=True, highlight=False)


def _selection(options: argparse.Namespace) -> tuple[str | None, str | None]:
    text = options.selection
    if options.all:
        if text is not None:
            raise ArgumentError("--all", "no sweep and no filter beside it", text)
        return None, ""
    if text is None:
        return None, None
    return (None, text) if _FILTER.search(text) else (text, None)


def _default_page(runs: pd.DataFrame) -> Path:
    """Return report.html in the sweep's folder if that is on this machine, else below the working folder."""
    sweeps = known_sweeps(runs)
    name = _UNSAFE.sub("_", sweeps[0]) if len(sweeps) == 1 else "selection"
    for folder in runs["run_folder"].dropna():
        root = Path(folder).parents[1]
        if root.is_dir():
            return root / "sweeps" / name / "report.html"
    return Path("outputs") / "sweeps" / name / "report.html"


def _table(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    rows = [_numbers(row) for _, row in report.groups.iterrows()]
    for key in report.keys:
        table.add_column(key, no_wrap=True)
    for name in rows[0]:
        table.add_column(name, justify="right", no_wrap=True)
    for (_, group), row in zip(report.groups.iterrows(), rows, strict=True):
        table.add_row(*(shown(group[key]) for key in report.keys), *row.values())
    return table


def _numbers(row: pd.Series) -> dict[str, str]:
    """Return the numbers of a group under the headings of their columns."""
    return {
        "solved": f"{row['solved']}/{row['n']}",
        "95 %": words.interval(words.percent, row["success_low"], row["success_high"]),
        "median steps": words.median_steps(*(row[f"median_steps{end}"] for end in ("", "_low", "_high"))),
        "learning": str(row["learning"]),
        "chance": str(row["at_chance"] + row["worse_than_chance"]),
        "diverged": str(row["diverged"]),
        "failed": str(row["failed"]),
        "rate": words.rate(row["rate"]),
        "loss": words.loss(row["loss"]),
        "error": words.percent(row["error"]),
    }
