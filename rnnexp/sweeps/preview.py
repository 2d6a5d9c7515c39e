"""What a command line would do, and how long that would take: `dry_run=true`."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


class Foreseen(NamedTuple):
    """What a job would do: its overrides, the next action, its seconds, and whether runs told them."""

    overrides: Sequence[str]
    next: Next
    seconds: float
    timed: bool


def preview(
    request: Request, compose: Callable[[Sequence[str]], Job], console: Console | None = None
) -> None:
    """Print what each job would do and how long all would take; nothing is made.

    Args:
        request: The command line.
        compose: Makes the job of a command line.
        console: Where to write; the standard output by default.
    """
    runs = runs_below(request.first.output_dir)
    known = timed([RunFolder(Path(path)) for paths in runs.values() for path in paths])
    steps = _next([compose(overrides) for overrides in request.jobs], runs, request.sweeping)
    foreseen = []
    for overrides, step, cost in zip(request.jobs, steps, request.costs(), strict=True):
        slower = pace(known, cost)
        foreseen.append(Foreseen(overrides, step, cost * (slower or 1.0), slower is not None))
    _print(request, foreseen, Console() if console is None else console)


def timed(folders: Sequence[RunFolder]) -> list[tuple[float, float]]:
    """Return cost and seconds of the runs that finished in one go, alone, and did not diverge.

    The cost is the seconds by the rule of `rnnexp.runs.heuristics`.
    """
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


def pace(timed: Sequence[tuple[float, float]], cost: float) -> float | None:
    """Return the median ratio of seconds to cost of runs within a factor of 3 of `cost`; None without any."""
    ratios = [taken / rule for rule, taken in timed if cost / _SIMILAR <= rule <= cost * _SIMILAR]
    return statistics.median(ratios) if ratios else None


def _next(jobs: Sequence[Job], runs: Mapping[str, Sequence[str]], sweeping: bool) -> list[Next]:
    if not sweeping:
        return [found.next for found in earlier_of(jobs, runs)]
    return [earlier_in_sweep(job, runs_of(job.hashes, runs)).next for job in jobs]


def _print(request: Request, foreseen: Sequence[Foreseen], console: Console) -> None:
    console.print(Rule(Text(f"{request.name}, not begun"), align="left", style="dim"))
    console.print(_table(foreseen, request.swept))
    console.print()
    counts = Counter(job.next for job in foreseen)
    parts = [f"{counts[step]} to {words}" for step, words in _WORDS.items() if counts[step]]
    costs = [job.seconds for job in foreseen if job.next in ("run", "resume")]
    # All together, but at least the longest job.
    seconds = max(sum(costs) / (request.workers or 1), *costs, 0.0)
    known = sum(job.timed for job in foreseen)
    source = f"similar runs timed for {known} of {len(foreseen)} jobs" if known else "by rule"
    workers = numbers.workers(request.workers)
    console.print(f"jobs   {len(foreseen)}: {', '.join(parts)}", highlight=False)
    console.print(f"time   about {numbers.duration(seconds)} on {workers} ({source})", highlight=False)


def _table(foreseen: Sequence[Foreseen], swept: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    for name in (*swept, "would", "about"):
        table.add_column(name, overflow="fold", justify="right" if name == "about" else "left")
    for number, job in enumerate(foreseen):
        values = values_of(job.overrides)
        time = numbers.duration(job.seconds) if job.next in ("run", "resume") else ""
        cells = [*(values.get(key, "") for key in swept), _WORDS[job.next], time]
        table.add_row(str(number), *map(Text, cells))
    return table
