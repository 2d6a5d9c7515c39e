"""The table of several replicas at their end: a row for each, and the places of their files."""

import collections
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import coloured
from rnnexp.report.terminal.labels import as_typed, labelled, print_place
from rnnexp.report.terminal.summary import Summary
from rnnexp.tracking.links import NOWHERE, Place

_WIDEST = 100


@dataclasses.dataclass(frozen=True)
class Line:
    """One replica: its seed, the folder of its run, and its summary.

    The summary of a replica that had finished in an earlier command holds its verdicts only.
    """

    seed: int
    folder: Path
    found: Summary


@dataclasses.dataclass(frozen=True)
class SideBySide:
    """The results of several replicas.

    Attributes:
        title: Their configuration in one line.
        lines: One for each, in the order of seeds.
        seconds: Duration of all.
        place: Where they are stored; nowhere if there are only their folders.
    """

    title: str
    lines: Sequence[Line]
    seconds: float
    place: Place = NOWHERE

    def verdicts(self) -> Mapping[str | None, int]:
        """Return how many have each verdict on learning."""
        return collections.Counter(line.found.learning_verdict for line in self.lines)

    def markdown(self) -> str:
        """Return verdicts and losses as a table in Markdown."""
        rows = ["| seed | gradient | learning | loss |", "|---|---|---|---|"]
        for line in self.lines:
            found = line.found
            loss = "" if found.loss is None else numbers.loss(found.loss)
            rows.append(f"| {line.seed} | {found.gradient_verdict} | {found.learning_verdict} | {loss} |")
        return "\n".join(rows)


def print_side_by_side(ending: SideBySide, console: Console | None = None) -> None:
    """Print verdicts and numbers of all replicas, those of the best constant predictor, and the places.

    Paths and commands are never broken into lines, so that they can be copied.
    """
    console = Console() if console is None else console
    width = min(console.width, _WIDEST)
    console.print(Rule(Text("finished", "green"), align="left", style="dim"), width=width)
    console.print(labelled("runs", ending.title), soft_wrap=True)
    console.print()
    console.print(_table(ending), width=width)
    console.print()
    noted = [line for line in ending.lines if line.found.notes]
    for line in noted:
        console.print(Text(f"seed {line.seed}: {line.found.notes[0]}", "bold"), width=width)
    if noted:
        console.print()
    for label, text in _places(ending):
        print_place(label, text, console)


def _table(ending: SideBySide) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("seed", justify="right")
    for name in ("gradient", "learning"):
        table.add_column(name)
    for name in ("loss", "error", "rate"):
        table.add_column(name, justify="right")
    table.add_column("95 % interval")
    for line in ending.lines:
        table.add_row(*_row(line.seed, line.found))
    found = [line.found for line in ending.lines if line.found.floor_loss is not None]
    if found:
        loss, error = _shown(numbers.loss, found[0].floor_loss), _shown(numbers.share, found[0].floor_error)
        table.add_row("", "", *(Text(cell, "dim") for cell in ("best constant", loss, error)))
    return table


def _row(seed: int, found: Summary) -> Iterator[str | Text]:
    yield str(seed)
    yield coloured(found.gradient_verdict)
    yield coloured(found.learning_verdict)
    yield _shown(numbers.loss, found.loss)
    yield _shown(numbers.share, found.error)
    yield _shown(numbers.rate, found.rate)
    low, high = found.rate_low, found.rate_high
    measured = low is not None and high is not None and not math.isnan(low + high)
    yield f"[{_shown(numbers.rate, low)}, {_shown(numbers.rate, high)}]" if measured else ""


def _shown(form: Callable[[float], str], value: float | None) -> str:
    """Return `value` as text; "" if it is not known (None), and "nan" if it is nan."""
    if value is None:
        return ""
    return "nan" if math.isnan(value) else form(value)


def _places(ending: SideBySide) -> Iterator[tuple[str, str]]:
    yield "time", f"{numbers.duration(ending.seconds)} for all"
    yield from ((f"seed {line.seed}", as_typed(line.folder)) for line in ending.lines)
    yield from ending.place.labelled().items()
