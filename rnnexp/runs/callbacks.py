"""A trial under observation: progress, records, summary."""

import logging

from rnnexp.diagnosis.measurement import Measurement
from rnnexp.report import terminal
from rnnexp.runs import artifacts, metrics
from rnnexp.runs.artist import Artist
from rnnexp.runs.finish import conclude
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.signals import Interruption
from rnnexp.tracking import Point, Tracker, points
from rnnexp.training import checkpoint
from rnnexp.training.record import Recorded
from rnnexp.training.replica import Observer, Result, Subject, Validated
from rnnexp.training.trainer import Trial

_logger = logging.getLogger(__name__)


def conduct(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, *, resumed: bool, started: float
) -> None:
    """Run the job's plan, record what it finds and print the summary.

    Whatever ends it early, the arrays recorded so far are in the folder.

    Raises:
        Killed: A signal came.
    """
    tracker.metrics(points(metrics.constants(job.plan), step=0))
    artist = Artist()
    subject, result = _run_trial(job, folder, tracker, signals, resumed, artist)
    terminal.print_summary(conclude(job, folder, tracker, subject.network, result, artist, started))


def _run_trial(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, resumed: bool, artist: Artist
) -> tuple[Subject, Result]:
    start = checkpoint.steps_in(folder.checkpoint) if resumed else 0
    with terminal.progress(job.plan.steps, start=start) as progress:
        told = observer(job, folder, tracker, progress, artist)
        trial = Trial(job.plan, folder.checkpoint, told, signals)
        try:
            return trial.subject, trial.run(resume=resumed)
        except BaseException:
            keep_arrays(folder, trial.subject)
            raise


def keep_arrays(folder: RunFolder, subject: Subject) -> None:
    """Write the arrays recorded so far, if there are any yet."""
    if subject.measured:
        artifacts.save_arrays(folder.arrays, subject.plan, subject.result())


def observer(
    job: Job, folder: RunFolder, tracker: Tracker, progress: terminal.Progress, artist: Artist
) -> Observer:
    """Return who shows the progress, records curves, looks and validations, and has drawn what is known."""
    looks: list[Measurement] = []

    def on_block(block: Recorded) -> None:
        loss, norm = block.series("loss"), block.series("global_norm")
        progress.update(int(block.steps[-1]) + 1, float(loss[-1]), float(norm[-1]))
        tracker.metrics(_curve_points(block.every(job.tracking.every)))

    def on_measurement(measurement: Measurement) -> None:
        step, gradient = measurement.step, measurement.gradient
        _logger.info("step %d: rate %.5g, log10 ratio %.4g", step, gradient.rate, gradient.log10_ratio)
        tracker.metrics(points(measurement.metrics(), measurement.step))
        looks.append(measurement)
        # The last look of the plan, after which the last step and the validation are left.
        if 0 < step == job.plan.steps - 1:
            drawings = artifacts.drawings_of_looks(
                folder.figures, job.plan, looks[0], measurement, title=job.name
            )
            artist.begin(drawings)

    def on_validation(validated: Validated) -> None:
        score = validated.score
        _logger.info("step %d: validation loss %.5g, error %.4g", validated.step, score.loss, score.error)
        tracker.metrics(points(metrics.validation_metrics(job.plan, score), validated.step))

    def on_trained(result: Result) -> None:
        artist.begin(artifacts.drawings_of_training(folder.figures, job.plan, result, title=job.name))

    return Observer(on_block, on_measurement, on_validation, on_trained, on_checkpoint=tracker.flush)


def _curve_points(block: Recorded) -> list[Point]:
    series = {
        "train/loss": block.series("loss"),
        "grad/global_norm": block.series("global_norm"),
        "grad/clipped_norm": block.series("clipped_norm"),
    }
    return [
        Point(key, float(value), int(step))
        for key, values in series.items()
        for step, value in zip(block.steps, values, strict=True)
    ]
