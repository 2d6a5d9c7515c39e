"""Paired timings: every contestant in every round, so that a machine's drift divides out of the ratios."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contestants import Train


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
            taken[name].append(_process(commands[name]))
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


def _process(command: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        started = time.perf_counter()
        answer = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    # 2 is the answer to a wrong value, which is timed too.
    if answer.returncode not in (0, 2):
        raise RuntimeError(f"{command} ended with {answer.returncode}: {answer.stderr[-500:]}")
    return seconds
