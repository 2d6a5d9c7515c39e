"""Paired timings: every contestant in every round, so that a machine's drift divides out of the ratios."""

import statistics
import time
from collections.abc import Iterable, Mapping

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


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


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
