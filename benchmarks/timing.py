"""Paired timings: every contestant in every round, so that a machine's drift divides out of the ratios."""

import statistics
import time
from collections.abc import Mapping

from benchmarks.contestants import Train


def paired(contestants: Mapping[str, Train], steps: int, rounds: int) -> dict[str, list[float]]:
    """Return seconds a training step, one number a round, of every contestant.

    Each is warmed up first (traced, compiled); the order turns from round to round.
    """
    names = list(contestants)
    for name in names:
        contestants[name](steps)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            started = time.perf_counter()
            contestants[name](steps)
            seconds[name].append((time.perf_counter() - started) / steps)
    return seconds


def median_ratio(slower: list[float], faster: list[float]) -> float:
    """Return the median over rounds of slower / faster: above 1, `faster` is."""
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))
