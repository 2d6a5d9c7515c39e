"""What a command line would do, and how long that would take: `dry_run=true`."""

import dataclasses
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rnnexp.report.terminal import numbers
from rnnexp.runs.job import Job
from rnnexp.runs.resume import Next, earlier_in_sweep, earlier_of, runs_below, runs_of
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.config_keys import values_of
from rnnexp.sweeps.request import Request

_SIMILAR = 3.0
_WORDS: Mapping[Next, str] = {
    "run": "run",
    "resume": "go on with",
    "skip": "skip",
    "busy": "leave to another process",
}


@dataclasses.dataclass(frozen=True)
class Foreseen:
    """What a job would do: its number, its overrides, the next action (run, resume, skip), the seconds."""

    number: int
    overrides: Sequence[str]
    next: Next
    seconds: float


class Pace:
    """How this machine compares with the rule of `rnnexp.runs.heuristics`.

    Args:
        timed: Of runs that finished in one go: seconds by the rule, seconds taken.
    """

    def __init__(self, timed: Sequence[tuple[float, float]]):
        self._timed = timed

    def seconds(self, cost: float) -> float:
        """Return `cost`, seconds by the rule, times the median ratio of runs within a factor of 3 of it."""
        ratios = [taken / rule for rule, taken in self._timed if self._similar(rule, cost)]
        return cost * statistics.median(ratios) if ratios else cost

    def knows(self, cost: float) -> bool:
        """Return whether runs of similar cost were timed."""
        return any(self._similar(rule, cost) for rule, _ in self._timed)

    @staticmethod
    def _similar(rule: float, cost: float) -> bool:
        return cost / _SIMILAR <= rule <= cost * _SIMILAR


def preview(
    request: Request, compose: Callable[[Sequence[str]], Job], console: Console | None = None
) -> None:
    """Print what each job would do and how long all would take; nothing is made.

    Args:
        request: The command line.
        compose: Makes the job of a command line.
        console: Where to write; the standard output by default.
    """
    root = request.first.output_dir
    runs = runs_below(root)
    pace = Pace(timed([RunFolder(Path(path)) for paths in runs.values() for path in paths]))
    costs = request.costs()
    jobs = [compose(overrides) for overrides in request.jobs]
    parts = zip(request.jobs, _next(jobs, runs, request.sweeping), costs, strict=True)
    foreseen = [
        Foreseen(number, overrides, step, pace.seconds(cost))
        for number, (overrides, step, cost) in enumerate(parts)
    ]
    known = sum(pace.knows(cost) for cost in costs)
    _print(request, foreseen, known, Console() if console is None else console)


def timed(folders: Sequence[RunFolder]) -> list[tuple[float, float]]:
    """Return cost and seconds of the runs that finished in one go, alone, and did not diverge."""
    states = [folder.state() for folder in folders]
    return [
        (state["cost"], state["seconds"])
        for state in states
        if state.get("status") == "FINISHED"
        and state.get("attempts") == 1
        and state.get("replicas", 1) == 1
        and state.get("cost")
        and state.get("seconds")
        and state.get("verdicts", {}).get("verdict.learning") != "diverged"
    ]


def _next(jobs: Sequence[Job], runs: Mapping[str, Sequence[str]], sweeping: bool) -> list[Next]:
    if not sweeping:
        return [found.next for found in earlier_of(jobs, runs)]
    return [earlier_in_sweep(job, runs_of(job.hashes, runs)).next for job in jobs]


def _print(request: Request, foreseen: Sequence[Foreseen], known: int, console: Console) -> None:
    console.print(Rule(Text(f"{request.name}, not begun"), align="left", style="dim"))
    console.print(_table(foreseen, request.swept))
    console.print()
    counts = Counter(job.next for job in foreseen)
    parts = [f"{counts[step]} to {words}" for step, words in _WORDS.items() if counts[step]]
    seconds = _together(
        [job.seconds for job in foreseen if job.next in ("run", "resume")], request.workers or 1
    )
    source = f"similar runs timed for {known} of {len(foreseen)} jobs" if known else "by rule"
    workers = numbers.workers(request.workers)
    console.print(f"jobs   {len(foreseen)}: {', '.join(parts)}", highlight=False)
    console.print(f"time   about {numbers.duration(seconds)} on {workers} ({source})", highlight=False)


def _together(seconds: Sequence[float], workers: int) -> float:
    """Return the seconds of all jobs: their sum over the number of workers, but at least the longest job."""
    return max(sum(seconds) / workers, *seconds, 0.0)


def _table(foreseen: Sequence[Foreseen], swept: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    for name in (*swept, "would", "about"):
        table.add_column(name, overflow="fold", justify="right" if name == "about" else "left")
    for job in foreseen:
        values = values_of(job.overrides)
        time = numbers.duration(job.seconds) if job.next in ("run", "resume") else ""
        cells = [*(values.get(key, "") for key in swept), _WORDS[job.next], time]
        table.add_row(str(job.number), *map(Text, cells))
    return table
