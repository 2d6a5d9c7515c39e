"""Contestants in a process of their own, beside the one that times them.

A library that brings a CUDA of another version cannot share a process with TensorFlow: it would call the
functions of the other. Questions and answers cost a fraction of a millisecond a call.
"""

import atexit
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.work import Train

_built: list[Train] = []  # in the other process


class Apart:
    """One process with any number of contestants."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(max_workers=1, mp_context=context)
        atexit.register(self._process.shutdown)

    def answer(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `question(*arguments)` returns there, or raise what it raises."""
        return self._process.submit(question, *arguments).result()

    def contestant(self, build: Callable[..., Train], *arguments: Any) -> Train:
        """Return what trains with what `build(*arguments)` makes there."""
        place = self.answer(_build, build, arguments)
        return lambda steps: self.answer(_train, place, steps)


def _build(build: Callable[..., Train], arguments: tuple[Any, ...]) -> int:
    _built.append(build(*arguments))
    return len(_built) - 1


def _train(place: int, steps: int) -> None:
    _built[place](steps)
