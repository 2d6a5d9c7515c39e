"""Stopwatches inside every job: a fork server imports this and calls nothing, so importing it starts them."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks import timed_jobs
from benchmarks.stopwatch import Stopwatch
from rnnexp import tracking
from rnnexp.diagnosis import measurement
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
    _write_at_the_end(watch)


def _note_training(watch: Stopwatch) -> None:
    run = trainer.Trainer.run

    def noted(self: Any, resume: Sequence[bool]) -> Any:
        results = run(self, resume)
        watch.seconds[TRAINING] = results[0].history.seconds
        return results

    trainer.Trainer.run = noted  # type: ignore[method-assign]


def _write_at_the_end(watch: Stopwatch) -> None:
    """Write down what was timed when a job ends: the next one begins there."""
    run_job = process.run_job

    def timed(*args: Any) -> None:
        started = time.perf_counter()
        run_job(*args)
        timed_jobs.write_job(watch.seconds | {INSIDE: time.perf_counter() - started})

    process.run_job = timed  # type: ignore[assignment]


_start()
