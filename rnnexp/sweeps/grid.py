"""The grid of a sweep, which fills with the results of its jobs while they run."""

import collections
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rnnexp.report.terminal.colours import COLOURS, spelt
from rnnexp.runtime.config_keys import values_of
from rnnexp.sweeps.outcome import Outcome

_MARKS = {
    "solved": "S",
    "learning": "L",
    "at_chance": "C",
    "worse_than_chance": "W",
    "diverged": "D",
    "failed": "F",
    "killed": "K",
    "running": "r",
    "waiting": "\N{MIDDLE DOT}",  # a job that has not begun
}
_BESIDE = 6  # lines of the screen that the grid leaves to the bar and to what was typed


class Grid:
    """One place for each job: the last key runs across, the others down, seeds side by side.

    Args:
        jobs: The overrides of each job.
        swept: The keys that differ between jobs.
    """

    def __init__(self, jobs: Sequence[Sequence[str]], swept: Sequence[str]):
        *self._down, self._across = [key for key in swept if key != "seed"] or list(swept) or [""]
        self._rows: dict[tuple[str, ...], dict[str, list[int]]] = {}
        for number, overrides in enumerate(jobs):
            values = values_of(overrides)
            row = self._rows.setdefault(tuple(values.get(key, "") for key in self._down), {})
            row.setdefault(values.get(self._across, ""), []).append(number)
        self._columns = list(dict.fromkeys(value for row in self._rows.values() for value in row))

    def drawn(self, outcomes: Mapping[int, Outcome], console: Console) -> RenderableType:
        """Return the grid with a word for each job, or, where that is too wide or seeds are swept, a letter.

        Where it is too high, rows whose jobs have all ended make room for those at work. Where even letters
        are too wide, it is empty.
        """
        most = max(1, console.height - _BESIDE)
        single = all(len(numbers) == 1 for row in self._rows.values() for numbers in row.values())
        for words in (True, False) if single else (False,):
            table = self._table(outcomes, words, most)
            if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
                return table if words else Group(table, self._legend(outcomes))
        return Text()

    def _table(self, outcomes: Mapping[int, Outcome], words: bool, most: int) -> Table:
        results = collections.defaultdict(
            lambda: "waiting", {number: outcome.result for number, outcome in outcomes.items()}
        )
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for key in self._down:
            table.add_column(_last(key), no_wrap=True)
        table.add_column(_last(self._across), style="dim", no_wrap=True)
        for value in self._columns:
            table.add_column(value, no_wrap=True)
        for place, row in self._shown(results, most):
            cells = (row.get(value, ()) for value in self._columns)
            table.add_row(*place, "", *(_cell([results[n] for n in numbers], words) for numbers in cells))
        return table

    def _shown(
        self, results: Mapping[int, str], most: int
    ) -> list[tuple[tuple[str, ...], dict[str, list[int]]]]:
        rows = list(self._rows.items())
        over = len(rows) - most
        ended = [row for row in rows if not {"waiting", "running"} & {results[n] for n in _numbers(row[1])}]
        dropped = [place for place, _ in ended[: max(0, over)]]
        return [row for row in rows if row[0] not in dropped][:most]

    def _legend(self, outcomes: Mapping[int, Outcome]) -> Text:
        found = {outcome.result for outcome in outcomes.values()}
        said = (f"{mark} {_spelt(name)}" for name, mark in _MARKS.items() if name in found)
        return Text("  ".join(said), "dim")


def _numbers(row: Mapping[str, Sequence[int]]) -> list[int]:
    return [number for numbers in row.values() for number in numbers]


def _cell(results: Sequence[str], words: bool) -> Text:
    cell = Text()
    for result in results:
        dim = "dim" if result in ("waiting", "running") else ""
        shown = _spelt(result) if words and result != "waiting" else _MARKS[result]
        cell.append(shown, COLOURS.get(result, dim))
    return cell


def _spelt(result: str) -> str:
    return {"worse_than_chance": "worse"}.get(result, spelt(result))


def _last(key: str) -> str:
    return key.rpartition(".")[2]
