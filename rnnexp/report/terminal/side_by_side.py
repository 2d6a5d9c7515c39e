"""The table of several replicas at their end: a row for each, and the places of their files."""

import collections
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.diagnosis.comparison import RATE
from rnnexp.report.terminal import numbers
from rnnexp.report.terminal.colours import coloured
from rnnexp.report.terminal.labels import as_typed, labelled, print_place
from rnnexp.report.terminal.summary import Summary

_WIDEST = 100


@dataclasses.dataclass(frozen=True)
class SideBySide:
    """The results of several replicas.

    Attributes:
        title: Their configuration in one line.
        runs: In the order of seeds.
        seconds: Duration of all.
        places: Where their common records are, by their labels; none if there are only their folders.
    """

    title: str
    runs: Sequence[Summary]
    seconds: float
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def verdicts(self) -> Mapping[str | None, int]:
        """Return how many have each verdict on learning."""
        return collections.Counter(run.learning_verdict for run in self.runs)

    def markdown(self) -> str:
        """Return verdicts and losses as a table in Markdown."""
        rows = ["| seed | gradient | learning | loss |", "|---|---|---|---|"]
        for run in self.runs:
            loss = numbers.loss(run["val/loss"]) if run.numbers else ""
            rows.append(f"| {run.seed} | {run.gradient_verdict} | {run.learning_verdict} | {loss} |")
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
    noted = [run for run in ending.runs if run.notes]
    for run in noted:
        console.print(Text(f"seed {run.seed}: {run.notes[0]}", "bold"), width=width)
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
    for run in ending.runs:
        table.add_row(*_row(run))
    known = [run for run in ending.runs if run.numbers]
    if known:
        loss, error = numbers.loss(known[0]["task/floor_loss"]), numbers.share(known[0]["task/floor_error"])
        table.add_row("", "", *(Text(cell, "dim") for cell in ("best constant", loss, error)))
    return table


def _row(found: Summary) -> Iterator[str | Text]:
    yield str(found.seed)
    yield coloured(found.gradient_verdict)
    yield coloured(found.learning_verdict)
    if found.numbers:
        rate, low, high = found.measured(RATE)
        yield numbers.loss(found["val/loss"])
        yield "nan" if math.isnan(found["val/error"]) else numbers.share(found["val/error"])
        yield numbers.rate(rate)
        yield "" if math.isnan(low + high) else f"[{numbers.rate(low)}, {numbers.rate(high)}]"


def _places(ending: SideBySide) -> Iterator[tuple[str, str]]:
    yield "time", f"{numbers.duration(ending.seconds)} for all"
    yield from ((f"seed {run.seed}", as_typed(run.folder)) for run in ending.runs)
    yield from ending.places.items()
