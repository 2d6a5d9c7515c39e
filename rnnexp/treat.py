"""Run what a run recommends, and say which of it worked: `treat=true`, or `python -m rnnexp.treat RUN`."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rnnexp.diagnosis.recommendations import merged
from rnnexp.runs.build import PROJECT
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile

_FILE = "treatment.json"
_SEEDS = 3


class Tried(NamedTuple):
    """A recommendation and what became of it.

    Attributes:
        overrides: What was typed in addition.
        verdicts: `verdict.learning` of every run that ended with one, in the order of its folder.
        runs: How many were begun.
    """

    overrides: tuple[str, ...]
    verdicts: tuple[str, ...]
    runs: int

    @property
    def solved(self) -> int:
        """How many runs solved the task."""
        return self.verdicts.count("solved")


def treat(
    folder: Path, seeds: int, launch: Callable[[Sequence[str]], object], most: int = 3
) -> Iterator[Tried]:
    """Run the recommendations of a run, each with its seed and the next ones, and yield what became of each.

    Args:
        folder: Of the run.
        seeds: Runs a recommendation.
        launch: Runs a sweep, given the arguments of `python run.py`.
        most: Recommendations, the first ones.

    Raises:
        ArgumentError: The folder is of no run, or of one that recommends nothing.
    """
    state = RunFolder(folder).state()
    remedies = state.get("remedies")
    if not remedies:
        raise ArgumentError("RUN", "the folder of a run that recommends something", str(folder))
    for number, overrides in enumerate(remedies[:most], start=1):
        out = folder.absolute() / "treatment" / str(number)
        listed = ",".join(str(state["seed"] + more) for more in range(seeds))
        ours = (f"seed={listed}", f"output_dir={out}", "treat=false")
        typed = merged(state["overrides"], [*overrides, *ours])
        launch(["-m", *(override for override in typed if not override.startswith(("name=", "replicas=")))])
        yield Tried(tuple(overrides), tuple(_verdicts(out)), seeds)


def _verdicts(out: Path) -> Iterator[str]:
    for path in sorted(out.glob("*/*/run.json")):
        verdict = RunFolder(path.parent).state().get("verdicts", {}).get("verdict.learning")
        if verdict is not None:
            yield verdict


def _launch(arguments: Sequence[str]) -> int:
    print(f"python run.py {shlex.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, str(PROJECT / "run.py"), *arguments], check=False).returncode


Launch = Callable[[Sequence[str]], object]
"""Runs a sweep, given the arguments of `python run.py`."""


def report(folders: Iterable[RunFolder], seeds: int = _SEEDS, launch: Launch = _launch) -> None:
    """Treat runs, print one line for each recommendation, keep them in treatment.json of each run's folder.

    A run that solved its task recommends nothing, and is told so.

    Raises:
        ArgumentError: A folder is of no run.
    """
    for folder in folders:
        if folder.state().get("remedies") == []:
            print("treat       nothing, as the run recommends nothing")
            continue
        found = list(treat(folder.path, seeds, launch))
        print("\n".join(map(_line, found)))
        StateFile(folder.path / _FILE).write({"tried": [tried._asdict() for tried in found]})


def _line(tried: Tried) -> str:
    others = ", ".join(verdict.replace("_", " ") for verdict in tried.verdicts if verdict != "solved")
    note = f" (others: {others})" if others else ""
    return f"{tried.solved} of {tried.runs} solved: {' '.join(tried.overrides)}{note}"


def main(arguments: Sequence[str] | None = None, launch: Launch = _launch) -> int:
    """Treat the run whose folder is given."""
    parser = argparse.ArgumentParser(prog="python -m rnnexp.treat", description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="runs a recommendation")
    chosen = parser.parse_args(arguments)
    try:
        report([RunFolder(chosen.run)], chosen.seeds, launch)
    except ArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
