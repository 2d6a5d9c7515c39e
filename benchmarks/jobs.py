"""What a job of a sweep costs beside its training, and what tracking costs: `python -m benchmarks.jobs`."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import timed_jobs, timing
from benchmarks.timed_jobs import FOLDER, IMPORT, MODEL, PERIOD, RECORDS
from rnnexp import tracking

JOB = ("seq_len=50", "units=32", "batch_size=32", "steps=200")
LONG = ("activation=relu", "seq_len=200", "steps=10000")
"""A run of about a minute on two cores."""

MOST_COST, MOST_SHARE = 2.0, 0.05
"""Goals: seconds beside the training of a job, and the share of tracking in a run of a minute."""

_SUMS = (PERIOD, "training", "inside")
_TRACKING = (IMPORT, RECORDS, MODEL)


def measure(overrides: Sequence[str] = JOB, jobs: int = 8) -> dict[str, Any]:
    """Return what a job costs, in seconds: medians over all jobs of a sweep but the first and the last.

    The cost is the time from its begin to that of the next job, less its training.

    Args:
        overrides: Of every job; they differ in their seeds.
        jobs: Of the sweep, one at a time; at least 3.
    """
    seeds = ",".join(map(str, range(jobs)))
    with tempfile.TemporaryDirectory() as folder:
        _run("sweep", folder, "-m", f"seed={seeds}", "launcher=basic", *overrides)
        rows = timed_jobs.read(Path(folder))[1:]
    costs = [_parts(row) for row in rows]
    return {
        "jobs": len(rows),
        "training": statistics.median(row["training"] for row in rows),
        "cost": statistics.median(sum(cost.values()) for cost in costs),
        "parts": {name: statistics.median(cost[name] for cost in costs) for name in costs[0]},
    }


def _parts(row: dict[str, float]) -> dict[str, float]:
    """Return the parts of a job beside its training; together they are its period less the training."""
    parts = {name: seconds for name, seconds in row.items() if name not in _SUMS}
    rest = row["inside"] - row["training"] - sum(parts.values())
    return parts | {"between jobs": row[PERIOD] - row["inside"], "feeding, the rest": rest}


def measure_tracking(overrides: Sequence[str] = LONG, rounds: int = 3) -> dict[str, Any]:
    """Return the seconds that tracking takes in a run alone, and its share of them; medians over rounds.

    The store is there already: making it takes seconds too, once.
    """
    with tempfile.TemporaryDirectory() as folder:
        tracking.ensure_store(timing.store_in(folder), "rnnexp")
        rows = [_tracked(folder, overrides) for _ in range(rounds)]
    shares = [sum(row[part] for part in _TRACKING) / row["wall"] for row in rows]
    medians = {name: statistics.median(row[name] for row in rows) for name in (*_TRACKING, "wall")}
    return {"rounds": rounds, "share": statistics.median(shares), **medians}


def _tracked(folder: str, overrides: Sequence[str]) -> dict[str, float]:
    wall = _run("alone", folder, *overrides)
    return json.loads(Path(folder, "alone.json").read_text(encoding="utf-8")) | {"wall": wall}


def _run(kind: str, folder: str, *arguments: str) -> float:
    """Run `run.py` with stopwatches in that folder; return its seconds."""
    code = f"from benchmarks import timed_jobs; timed_jobs.{kind}()"
    return timing.process([sys.executable, "-c", code, *arguments], folder, environ={FOLDER: folder})


def main() -> None:
    """Measure both and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=8, help="jobs of the sweep (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs with tracking, 0 for none (default: %(default)s)"
    )
    arguments = parser.parse_args()
    console = Console()
    console.print(_cost(measure(jobs=arguments.jobs)))
    if arguments.rounds:
        console.print(_tracking(measure_tracking(rounds=arguments.rounds)))


def _cost(found: dict[str, Any]) -> Table:
    table = Table(title=f"A job beside its training ({' '.join(JOB)}), medians of {found['jobs']} jobs")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    for name, seconds in sorted(found["parts"].items(), key=lambda part: -part[1]):
        table.add_row(name, f"{seconds:.2f}")
    table.add_row("together", f"{found['cost']:.2f} (goal {MOST_COST:g})")
    table.add_row("training", f"{found['training']:.2f}")
    return table


def _tracking(found: dict[str, Any]) -> Table:
    table = Table(title=f"Tracking in a run alone ({' '.join(LONG)}), medians of {found['rounds']} runs")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    for name in (*_TRACKING, "wall"):
        table.add_row(name, f"{found[name]:.2f}")
    table.add_row("share", f"{100 * found['share']:.1f} % (goal {100 * MOST_SHARE:g} %)")
    return table


if __name__ == "__main__":
    main()
