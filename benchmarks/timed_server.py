"""Stopwatches inside every job: a fork server imports this and calls nothing, so importing it starts them."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks import timed_jobs
from benchmarks.stopwatch import Stopwatch
from rnnexp import tracking
from rnnexp.diagnosis import measurement
from rnnexp.runs import finish
from rnnexp.sweeps import launcher
from rnnexp.training import evaluation, trainer

BUILDING, LOOKS, VALIDATION, FIGURES = "building", "looks", "the validation", "figures"
TRAINING, INSIDE = "training", "inside"


def _start() -> None:
    watch = Stopwatch()
    watch.watch(trainer.Trainer, BUILDING, "__init__")
    watch.watch(measurement.Measurer, LOOKS, "measure")
    watch.watch(evaluation.Evaluator, VALIDATION, "evaluate")
    watch.watch(finish, FIGURES, "draw_figures")
    timed_jobs.watch_tracking(watch, tracking)
    _note_training(watch)
    _write_at_end(watch)


def _note_training(watch: Stopwatch) -> None:
    run = trainer.Trainer.run

    def noted(self: Any, resume: Sequence[bool]) -> Any:
        results = run(self, resume)
        watch.seconds[TRAINING] = results[0].history.seconds
        return results

    trainer.Trainer.run = noted  # type: ignore[method-assign]


def _write_at_end(watch: Stopwatch) -> None:
    """Write down what was timed when a job has ended."""
    in_process = launcher.in_process

    def timed(*args: Any) -> None:
        begun = time.perf_counter()
        in_process(*args)
        timed_jobs.write_job(watch.seconds | {INSIDE: time.perf_counter() - begun, timed_jobs.BEGUN: begun})

    # The process of a job looks the function up by its name.
    timed.__module__, timed.__qualname__ = in_process.__module__, in_process.__qualname__
    launcher.in_process = timed  # type: ignore[assignment]


_start()
