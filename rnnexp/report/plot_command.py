"""One figure of a run or a sweep, in the format of its file: `rnnexp plot [RUN_OR_SWEEP] [figure]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rnnexp.analysis import load_runs
from rnnexp.plotting.run_figures import FORMATS, OF_LENGTHS, catalogue
from rnnexp.report import figures
from rnnexp.report.html.phase_diagram import NAMES
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.places import COMMAND

_EXPLAIN = (
    "Draw one figure of a run or a sweep for a paper. Of a run: "
    "{}, or the figure of its task. Of a sweep, the phase diagram of: {} (where updates were clipped)."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure that the command line asks for; return 0, or 2 after one sentence on what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        print(f"figure  {_draw(options).resolve()}")
    except ArgumentError as error:
        print(f"{COMMAND} plot: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    of_run, of_sweep = ", ".join([*catalogue(), *OF_LENGTHS]), ", ".join(NAMES)
    parser = argparse.ArgumentParser(prog=f"{COMMAND} plot", description=_EXPLAIN.format(of_run, of_sweep))
    parser.add_argument(
        "selection",
        nargs="?",
        metavar="RUN_OR_SWEEP",
        help="its folder, or its id (default: the newest sweep)",
    )
    parser.add_argument(
        "figure", nargs="?", help="default: gradient_profile of a run, success (runs solved) of a sweep"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=".pdf, .svg or .png (default: FIGURE.pdf)")
    parser.add_argument(
        "--where", metavar="ADDRESS_OR_FOLDER", help="where the sweep or an id is looked up, as of the report"
    )
    return parser


def _draw(options: argparse.Namespace) -> Path:
    name, figure = _named(options)
    where = options.where
    folder = Path(name or "")
    sweep = StateFile(folder / "sweep.json").read() if name and folder.is_dir() else {}
    if name and not sweep and figures.is_run(name):
        figure = figure or "gradient_profile"
        return figures.draw_one(name, where, figure, _path(options.out, figure))
    figure = figure or "success"
    path = _path(options.out, figure)
    if sweep:
        name = folder.resolve().name
        where = where or (sweep["store"] if sweep["store"] != "none" else folder.resolve().parents[1])
    try:
        return figures.draw_sweep(load_runs(where, name), figure, path)
    except OSError as error:
        raise ArgumentError("--out", f"a file that can be written ({error.strerror})", str(path)) from error


def _named(options: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return the run or the sweep, and the figure; the name of a figure alone is no run."""
    name = options.selection
    if options.figure is None and name in NAMES and not Path(name).exists():
        return None, name
    return name, options.figure


def _path(out: Path | None, figure: str) -> Path:
    path = Path(f"{figure}.pdf") if out is None else out
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        endings = " or ".join(f".{form}" for form in FORMATS)
        raise ArgumentError("--out", f"a file that ends in {endings}", str(path))
    return path
