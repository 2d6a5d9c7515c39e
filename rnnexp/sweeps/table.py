"""The table that a sweep prints at its end."""

import collections
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import coloured, spelt
from rnnexp.report.terminal.labels import as_typed, labelled, print_place
from rnnexp.runs.run_folder import file_name, name_in
from rnnexp.runtime.config_keys import values_of
from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.request import Request
from rnnexp.tracking.links import NOWHERE, Place

MOST_ROWS = 40
"""Up to so many jobs have a row each."""

_WIDEST = 120
_VERDICTS = ("solved", "learning", "at_chance", "worse_than_chance", "diverged")


@dataclasses.dataclass(frozen=True)
class Ending:
    """A sweep that has ended.

    Attributes:
        request: What was asked for.
        folder: Of the sweep.
        outcomes: Of all jobs, WAITING for those that were not begun.
        seconds: Time of this call.
        place: Where its run in MLflow is; nowhere without MLflow.
        broken: Why the launcher ended before its jobs, "" if it did not.
    """

    request: Request
    folder: SweepFolder
    outcomes: Sequence[Outcome]
    seconds: float
    place: Place = NOWHERE
    broken: str = ""

    def counts(self) -> dict[str, int]:
        """Return how many jobs there are of each verdict and state, all of them named."""
        found = collections.Counter(outcome.result for outcome in self.outcomes)
        skipped = sum(outcome.status == "SKIPPED" for outcome in self.outcomes)
        names = (*_VERDICTS, "failed", "killed", "waiting")
        return {name: found[name] for name in names} | {"skipped": skipped}

    @property
    def unfinished(self) -> int:
        """How many jobs the same command would do again, or begin."""
        return sum(outcome.bad or outcome.status == "WAITING" for outcome in self.outcomes)


def print_ending(ending: Ending, console: Console | None = None) -> None:
    """Print the table, the counts and where everything is; of many jobs, only those that went wrong."""
    console = Console() if console is None else console
    width = min(console.width, _WIDEST)
    console.print(
        Rule(Text(f"{ending.request.name}, {ending.folder.id}"), align="left", style="dim"), width=width
    )
    if len(ending.outcomes) <= MOST_ROWS:
        console.print(_table(ending.outcomes, ending.request.swept), width=width)
        console.print()
    for outcome in ending.outcomes:
        if outcome.bad and not outcome.note.startswith("stopped by"):
            _print_failure(console, outcome, ending.folder, width)
    for label, text in _counted(ending):
        console.print(labelled(label, text), width=width)
    for label, text in _places(ending):
        print_place(label, text, console)


def _table(outcomes: Sequence[Outcome], swept: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    for key in swept:
        table.add_column(key.rpartition(".")[2] if len(swept) > 2 else key, overflow="fold")
    for name in ("result", "gradient"):
        table.add_column(name, no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for outcome in outcomes:
        values = values_of(outcome.overrides)
        cells = [Text(values.get(key, "")) for key in swept]
        verdicts = _word(outcome.result), _word(outcome.gradient)
        table.add_row(str(outcome.number), *cells, *verdicts, _time(outcome))
    return table


def _word(word: str | None) -> Text:
    return Text("not begun", "dim") if word == "waiting" else coloured(word)


def _time(outcome: Outcome) -> Text:
    if outcome.status == "SKIPPED":
        return Text("skipped", "dim")
    return Text("" if outcome.seconds is None else numbers.duration(outcome.seconds))


def _print_failure(console: Console, outcome: Outcome, folder: SweepFolder, width: int) -> None:
    """Say what went wrong, and where it is written down."""
    head = Text.assemble((f"#{outcome.number} {outcome.status.lower()}  ", "red"), outcome.name or "")
    console.print(head, width=width)
    console.print(Padding(Text(outcome.note), (0, 0, 0, 4), expand=False), width=width)
    log = folder.console(outcome.number)
    if outcome.run_folder is not None:
        log = Path(outcome.run_folder, "run.log")
    if log.is_file():
        console.print(Text(f"    {as_typed(log)}", "dim"), soft_wrap=True, highlight=False)


def _counted(ending: Ending) -> Iterator[tuple[str, str]]:
    counts, total = ending.counts(), len(ending.outcomes)
    finished = sum(counts[verdict] for verdict in _VERDICTS)
    found = [verdict for verdict in _VERDICTS if counts[verdict]]
    of_them = ", ".join(f"{counts[verdict]} {spelt(verdict)}" for verdict in found)
    yield "finished", f"{finished} of {total}{': ' if found else ''}{of_them}"
    if counts["skipped"]:
        yield "skipped", f"{counts['skipped']}, which had finished earlier or are at work elsewhere"
    renamed = sum(map(_has_another_name, ending.outcomes))
    if renamed:
        yield "names", f"{renamed} keep the name under which they finished (resume=false runs all anew)"
    for state in ("failed", "killed"):
        if counts[state]:
            yield state, str(counts[state])
    if counts["waiting"]:
        yield "not begun", str(counts["waiting"])
    if ending.broken:
        yield "launcher", ending.broken
    yield "time", f"{numbers.duration(ending.seconds)}, {numbers.workers(ending.request.workers)}"


def _has_another_name(outcome: Outcome) -> bool:
    """Whether a job was skipped for a run that has another name."""
    if outcome.status != "SKIPPED" or outcome.run_folder is None or outcome.name is None:
        return False
    return name_in(Path(outcome.run_folder)) != file_name(outcome.name)


def _places(ending: Ending) -> Iterator[tuple[str, str]]:
    yield "folder", as_typed(ending.folder.path)
    yield from ending.place.labelled().items()
    left = ending.unfinished
    if left:
        jobs = "the job that is" if left == 1 else f"the {left} jobs that are"
        yield "again", f"the same command does {jobs} not finished, and no other"
