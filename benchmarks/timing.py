"""Paired timings: every contestant in every round, so that a machine's drift divides out of the ratios."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks.work import Train

_NONE: Mapping[str, str] = {}


def paired(contestants: Mapping[str, Train], seconds: float, rounds: int) -> dict[str, list[float]]:
    """Return seconds a training step, one number a round, of every contestant.

    Each is warmed up first (traced, compiled) and then takes as many steps a round as fill about `seconds`,
    in whole tens; the order turns from round to round.
    """
    names = list(contestants)
    steps = {name: _steps_in(contestants[name], seconds) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken[name].append(_duration(contestants[name], steps[name]) / steps[name])
    return taken


def processes(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Return seconds of whole processes, one number a round, of every command; the order turns.

    Each runs in a fresh folder, with an MLflow store of its own, and sees this project.
    """
    names = list(commands)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            with tempfile.TemporaryDirectory() as folder:
                # 2 is the answer to a wrong value, which is timed too.
                taken[name].append(process(commands[name], folder, codes=(0, 2)))
    return taken


def median_ratio(slower: list[float], faster: list[float]) -> float:
    """Return the median over rounds of slower / faster: above 1, `faster` is."""
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))


def _steps_in(train: Train, seconds: float) -> int:
    train(10)
    step = _duration(train, 10) / 10
    return 10 * max(1, round(seconds / step / 10))


def _duration(train: Train, steps: int) -> float:
    started = time.perf_counter()
    train(steps)
    return time.perf_counter() - started


def process(
    command: Sequence[str], folder: str, *, codes: Collection[int] = (0,), environ: Mapping[str, str] = _NONE
) -> float:
    """Return the seconds of a process that sees this project, in `folder` and with an MLflow store there.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        codes: How it may end.
        environ: What else its environment holds.

    Raises:
        RuntimeError: It ended otherwise.
    """
    given = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "MLFLOW_TRACKING_URI": store_in(folder),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    whole = {**os.environ, **given, **environ}
    started = time.perf_counter()
    answer = subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if answer.returncode not in codes:
        raise RuntimeError(f"{command} ended with {answer.returncode}: {answer.stderr[-500:]}")
    return seconds


def store_in(folder: str) -> str:
    """Return the address of the MLflow store of `folder`."""
    return f"sqlite:///{folder}/mlflow.db"
