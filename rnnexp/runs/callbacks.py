"""Trains the runs of one command while showing their progress and recording their results."""

import logging
from collections.abc import Sequence

from rnnexp.diagnosis.measurement import Measurement
from rnnexp.report import terminal
from rnnexp.report.terminal.labels import as_typed
from rnnexp.runs import artifacts, metrics, run_context
from rnnexp.runs.finish import finish
from rnnexp.runs.jumps import Jumps
from rnnexp.runs.run_context import OpenRun
from rnnexp.runtime.device import gpu_count
from rnnexp.runtime.signals import Interruption
from rnnexp.tracking import Point, points
from rnnexp.training import checkpoint
from rnnexp.training.record import Recorded
from rnnexp.training.replica import Observer, Replica, Result, Validated
from rnnexp.training.trainer import Member, Trainer

_logger = logging.getLogger(__name__)


def train(runs: Sequence[OpenRun], signals: Interruption, started: float) -> list[terminal.Summary]:
    """Train the runs together, record their results, judge each of them and close its records.

    If an error or a signal ends the training, the arrays recorded so far are in the folders of the runs.

    Args:
        runs: At least one; they differ in the seed only.
        signals: Where signals arrive.
        started: When the command began, as `time.perf_counter` tells it.

    Raises:
        Killed: A signal came.
    """
    for run in runs:
        run.tracker.metrics(points(metrics.constants(run.job.plan), step=0))
    replicas, results = _train(runs, signals)
    found = []
    for run, replica, result in zip(runs, replicas, results, strict=True):
        with run_context.said_in(run.folder.log):
            found.append(finish(run, replica.network, result, signals, started))
        run.records.close()
    return found


def _train(runs: Sequence[OpenRun], signals: Interruption) -> tuple[Sequence[Replica], Sequence[Result]]:
    start = min(checkpoint.steps_in(run.folder.checkpoint) if run.resumed else 0 for run in runs)
    of = f"median of {len(runs)}: " if len(runs) > 1 else ""
    with terminal.progress(runs[0].job.plan.train_steps, start=start, of=of) as progress:
        progress.say(_header(runs))
        medians = terminal.Medians(progress)
        members = [
            Member(run.job.plan, run.folder.checkpoint, observer(run, medians.of(place)))
            for place, run in enumerate(runs)
        ]
        trainer = Trainer(members, signals, on_return=medians.show)
        try:
            return trainer.replicas, trainer.run([run.resumed for run in runs])
        except BaseException:
            for run, replica in zip(runs, trainer.replicas, strict=True):
                if replica.measured:
                    artifacts.save_arrays(run.folder.arrays, run.job.plan, replica.result())
            raise


def _header(runs: Sequence[OpenRun]) -> str:
    """Say what is trained, where, and where it is recorded."""
    job, folder = runs[0].job, runs[0].folder.path
    plan = job.plan
    device = "GPU" if plan.device != "cpu" and gpu_count() > 0 else "CPU"
    seeds = f" and {len(runs) - 1} more seeds" if len(runs) > 1 else ""
    layers = "" if plan.layers == 1 else f"{plan.layers} layers of "
    size = f"over {plan.task.time_steps} steps, {layers}{plan.units} units of {job.choices['cell']}"
    where = f"on the {device}; records in {as_typed(folder)}"
    return f"{job.name}{seeds}: {job.choices['task']} {size}, {where}"


def observer(run: OpenRun, progress: terminal.Progress) -> Observer:
    """Return the observer that shows the progress and records curves, measurements and validations.

    What its functions log goes into the log of the run alone.
    """
    job, tracker, logged = run.job, run.tracker, run_context.said_in(run.folder.log)
    jumps = Jumps(job.name)

    @logged
    def on_block(block: Recorded) -> None:
        loss, norm = block.series("loss"), block.series("global_norm")
        progress.update(int(block.train_steps[-1]) + 1, float(loss[-1]), float(norm[-1]))
        progress.profile(block.log_norms[-1].tolist())
        for sentence in jumps.of(block.train_steps, norm):
            progress.say(sentence)
        tracker.metrics(_curve_points(block.every(job.tracking.every)))

    @logged
    def on_measurement(measurement: Measurement) -> None:
        step, gradient = measurement.step, measurement.gradient
        _logger.info("step %d: rate %.5g, log10 ratio %.4g", step, gradient.rate, gradient.log10_ratio)
        tracker.metrics(points(measurement.metrics(), measurement.step))

    @logged
    def on_validation(validated: Validated) -> None:
        score = validated.score
        _logger.info("step %d: validation loss %.5g, error %.4g", validated.step, score.loss, score.error)
        tracker.metrics(points(metrics.validation_metrics(job.plan, score), validated.step))

    return Observer(on_block, on_measurement, on_validation, on_checkpoint=logged(tracker.flush))


def _curve_points(block: Recorded) -> list[Point]:
    series = {
        "train/loss": block.series("loss"),
        "grad/global_norm": block.series("global_norm"),
        "grad/clipped_norm": block.series("clipped_norm"),
    }
    return [
        Point(key, float(value), int(step))
        for key, values in series.items()
        for step, value in zip(block.train_steps, values, strict=True)
    ]
