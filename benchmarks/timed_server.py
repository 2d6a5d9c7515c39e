"""Stopwatches inside every job: a fork server imports this and calls nothing, so importing it starts them."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks import timed_jobs
from benchmarks.stopwatch import Stopwatch
from rnnexp import tracking
from rnnexp.diagnosis import measurement
from rnnexp.runs import artist
from rnnexp.sweep import process
from rnnexp.training import evaluation, trainer

BUILDING, LOOKS, VALIDATION = "building", "looks", "the validation"
TRAINING, INSIDE = "training", "inside"


def _start() -> None:
    watch = Stopwatch()
    watch.watch(trainer.Trainer, BUILDING, "__init__")
    watch.watch(measurement.Measurer, LOOKS, "measure")
    watch.watch(evaluation.Evaluator, VALIDATION, "evaluate")
    timed_jobs.watch_tracking(watch, tracking)
    _note_training(watch)
    _write_when_left(watch)


def _note_training(watch: Stopwatch) -> None:
    run = trainer.Trainer.run

    def noted(self: Any, resume: Sequence[bool]) -> Any:
        results = run(self, resume)
        watch.seconds[TRAINING] = results[0].history.seconds
        return results

    trainer.Trainer.run = noted  # type: ignore[method-assign]


def _write_when_left(watch: Stopwatch) -> None:
    """Write down what was timed when a job has only its figures to wait for: the next one begins there."""
    run_job, finish = process.run_job, artist.Artist.finish
    started: list[float] = []

    def begun(*args: Any) -> None:
        started.append(time.perf_counter())
        run_job(*args)

    def left(self: Any) -> Any:
        timed_jobs.write_job(watch.seconds | {INSIDE: time.perf_counter() - started[-1]})
        return finish(self)

    process.run_job = begun  # type: ignore[assignment]
    artist.Artist.finish = left  # type: ignore[method-assign]


_start()
