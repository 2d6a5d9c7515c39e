"""A trial under observation: progress, records, figures, summary."""

import math
import time
from collections.abc import Mapping

from rnnexp import console, findings, keepsakes
from rnnexp.job import Job
from rnnexp.measurement import Measurement
from rnnexp.run_folder import RunFolder
from rnnexp.signals import Interruption, Killed
from rnnexp.tracking import Point, Tracker
from rnnexp.training import Recorded
from rnnexp.trial import Observer, Result, Trial, Validated


def conduct(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, *, resumed: bool, started: float
) -> None:
    """Run the job's plan, record what it finds and print the summary.

    Raises:
        Killed: A signal came; the arrays recorded so far are in the folder.
    """
    tracker.metrics(_points(findings.constants(job.plan), step=0))
    arrays = folder.path / "gradient_flow.npz"
    with console.progress(job.plan.steps) as progress:
        trial = Trial(job.plan, folder.checkpoint, _observer(job, tracker, progress), signals)
        try:
            result = trial.run(resume=resumed)
        except Killed:
            if trial.measured:
                keepsakes.save_arrays(arrays, trial.result())
            raise
    verdicts = findings.judge(job.plan, result)
    keepsakes.save_arrays(arrays, result)
    figures = keepsakes.draw(folder.figures, job.plan, result, title=job.name)
    for path in figures:
        tracker.artifact(path, "figures")
    if job.tracking.model and result.diverged_at is None:
        tracker.model(
            trial.network, job.plan.task.batch(job.plan.seed, "probe", 0, 2).x.astype(job.plan.dtype)
        )
    diverged = {} if result.diverged_at is None else {"diverged_at": str(result.diverged_at)}
    tracker.tags(verdicts.tags() | diverged)
    seconds = time.perf_counter() - started
    tracker.metrics(_points(findings.totals(result, seconds), result.steps_taken))
    folder.checkpoint.unlink(missing_ok=True)
    console.print_summary(_summary(job, folder, tracker, result, verdicts, seconds))


def _observer(job: Job, tracker: Tracker, progress: console.Progress) -> Observer:
    def on_block(block: Recorded) -> None:
        loss, norm = block.series("loss"), block.series("global_norm")
        progress.update(int(block.steps[-1]) + 1, float(loss[-1]), float(norm[-1]))
        tracker.metrics(_curve_points(block.every(job.tracking.every)))

    def on_measurement(measurement: Measurement) -> None:
        tracker.metrics(_points(measurement.metrics(), measurement.step))

    def on_validation(validated: Validated) -> None:
        tracker.metrics(_points(findings.validation_metrics(job.plan, validated.score), validated.step))

    return Observer(on_block, on_measurement, on_validation)


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


def _points(values: Mapping[str, float], step: int) -> list[Point]:
    return [Point(key, value, step) for key, value in values.items()]


def _summary(
    job: Job, folder: RunFolder, tracker: Tracker, result: Result, verdicts: findings.Verdicts, seconds: float
) -> console.Summary:
    plan, end = job.plan, result.end
    score = result.validations[-1].score if result.validations else None
    return console.Summary(
        configuration=job.name,
        loss=math.nan if score is None else score.loss,
        floor_loss=plan.task.floor_loss,
        loss_unit=plan.task.loss_unit,
        error=math.nan if score is None else score.error,
        floor_error=plan.task.floor_error,
        gradient_verdict=verdicts.gradient,
        rate=end.gradient.rate,
        rate_low=end.gradient.rate_low,
        rate_high=end.gradient.rate_high,
        predicted_rate=end.predicted_rate,
        rate_bound=end.rate_bound,
        log10_ratio=end.gradient.log10_ratio,
        ratio_low=end.gradient.ratio_low,
        ratio_high=end.gradient.ratio_high,
        learning_verdict=verdicts.learning,
        notes=_notes(result, verdicts),
        seconds=seconds,
        steps_per_second=result.steps_taken / result.history.seconds if result.history.seconds else math.nan,
        figures=str(folder.figures),
        run=tracker.where,
        open_command=tracker.open_command,
        status="finished",
    )


def _notes(result: Result, verdicts: findings.Verdicts) -> tuple[str, ...]:
    """Sentences that the numbers at the end cannot say of a run that diverged."""
    if result.diverged_at is None:
        return ()
    start, verdict = result.start, verdicts.gradient_start.replace("_", "-")
    return (
        f"diverged at training step {result.diverged_at}: the loss or a gradient was not finite",
        f"before training the gradient was {verdict}, {start.gradient.rate:.4f} nats per step"
        f" (mean field {start.predicted_rate:.4f})",
    )
