"""Run what a run recommends, and say which of it worked: `treat=true`, or `rnnexp treat RUN [--seeds 3]`."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rnnexp.diagnosis.recommendations import merged
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime import output
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.places import COMMAND, command_line

_FILE = "treatment.json"
_SEEDS = 3
_MOST = 3  # recommendations that are run

Launch = Callable[[Sequence[str]], object]
"""Runs a sweep, given the arguments of `python run.py`."""


class Tried(NamedTuple):
    """A recommendation and the result of its runs.

    Attributes:
        overrides: The overrides that it adds.
        verdicts: `verdict.learning` of every run that has one, in the order of the folders.
        runs: How many runs were started.
    """

    overrides: tuple[str, ...]
    verdicts: tuple[str, ...]
    runs: int

    @property
    def solved(self) -> int:
        """How many runs solved the task."""
        return self.verdicts.count("solved")


def treat(folder: Path, seeds: int, launch: Launch) -> Iterator[Tried]:
    """Run the first recommendations of a run, each with its seed and the next ones; yield the results.

    Args:
        folder: Of the run.
        seeds: Number of runs for each recommendation.
        launch: Runs a sweep.

    Raises:
        ArgumentError: The folder is not that of a run, or the run has no recommendations.
    """
    state = RunFolder(folder).state()
    remedies = state.get("remedies")
    if not remedies or not {"overrides", "seed"} <= state.keys():
        raise ArgumentError("RUN", "the folder of a run that recommends something", str(folder))
    for number, overrides in enumerate(remedies[:_MOST], start=1):
        out = folder.absolute() / "treatment" / str(number)
        listed = ",".join(str(state["seed"] + more) for more in range(seeds))
        ours = (f"seed={listed}", f"output_dir={out}", "treat=false", "report=false")
        typed = merged(state["overrides"], [*overrides, *ours])
        alone = [override for override in typed if not override.startswith(("name=", "replicas="))]
        launch([*state.get("flags", ()), "-m", *alone])
        yield Tried(tuple(overrides), tuple(_verdicts(out)), seeds)


def _verdicts(out: Path) -> Iterator[str]:
    for path in sorted(out.glob("*/*/run.json")):
        verdict = RunFolder(path.parent).state().get("verdicts", {}).get("verdict.learning")
        if verdict is not None:
            yield verdict


def _launch(arguments: Sequence[str]) -> int:
    print(f"{COMMAND} {shlex.join(arguments)}", flush=True)
    return subprocess.run([*command_line(), *arguments], check=False).returncode


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
    parser = argparse.ArgumentParser(prog=f"{COMMAND} treat", description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="runs a recommendation")
    chosen = parser.parse_args(arguments)
    try:
        report([RunFolder(chosen.run)], chosen.seeds, launch)
    except ArgumentError as error:
        print(f"{COMMAND} treat: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    output.protect()
    sys.exit(main())
