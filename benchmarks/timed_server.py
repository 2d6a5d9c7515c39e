"""Stopwatches inside every job: a fork server imports this and calls nothing, so importing it starts them."""

import time
from typing import Any

from benchmarks import timed_jobs
from benchmarks.stopwatch import Stopwatch
from rnnexp import artist, evaluation, findings, measurement, tracking, trial
from rnnexp.sweep import process

BUILDING, LOOKS, VALIDATION = "building", "looks", "the validation"
FIGURES = "waiting for the figures"
TRAINING, INSIDE = "training", "inside"


def _start() -> None:
    watch = Stopwatch()
    watch.watch(trial.Trial, BUILDING, "__init__")
    watch.watch(measurement.Probe, LOOKS, "measure")
    watch.watch(evaluation.Evaluator, VALIDATION, "evaluate")
    watch.watch(artist.Artist, FIGURES, "begin", "finish")
    timed_jobs.watch_tracking(watch, tracking)
    _note_training(watch)
    _write_at_the_end(watch)


def _note_training(watch: Stopwatch) -> None:
    totals = findings.totals

    def noted(*args: Any) -> dict[str, float]:
        values = totals(*args)
        watch.seconds[TRAINING] = values["time/train_seconds"]
        return values

    findings.totals = noted  # type: ignore[assignment]


def _write_at_the_end(watch: Stopwatch) -> None:
    run_job = process.run_job

    def written(*args: Any) -> None:
        started = time.perf_counter()
        run_job(*args)
        timed_jobs.write_job(watch.seconds | {INSIDE: time.perf_counter() - started})

    process.run_job = written  # type: ignore[assignment]


_start()
