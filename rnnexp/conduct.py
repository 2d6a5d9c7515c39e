"""A trial under observation: progress, records, figures, summary."""

import logging
import math
import time
from collections.abc import Mapping

from rnnexp import advice, checkpoint, console, findings, keepsakes
from rnnexp.artist import Artist
from rnnexp.job import Job
from rnnexp.laws import exponent_interval
from rnnexp.measurement import Measurement
from rnnexp.run_folder import RunFolder
from rnnexp.signals import Interruption
from rnnexp.tracking import Point, Tracker
from rnnexp.training import Recorded
from rnnexp.trial import Observer, Result, Trial, Validated

_logger = logging.getLogger(__name__)


def conduct(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, *, resumed: bool, started: float
) -> None:
    """Run the job's plan, record what it finds and print the summary.

    Whatever ends it early, the arrays recorded so far are in the folder.

    Raises:
        Killed: A signal came.
    """
    tracker.metrics(_points(findings.constants(job.plan), step=0))
    artist = Artist()
    trial, result = _run_trial(job, folder, tracker, signals, resumed, artist)
    verdicts = findings.judge(job.plan, result)
    _keep(job, folder, tracker, trial, result, artist)
    _record_verdicts(tracker, result, verdicts)
    words = _put_in_words(job, folder, tracker, result, verdicts)
    seconds = time.perf_counter() - started
    tracker.metrics(_points(findings.totals(result, seconds), result.steps_taken))
    folder.update(verdicts=verdicts.tags(), seconds=round(seconds, 3))
    console.print_summary(_summary(job, folder, tracker, result, verdicts, words, seconds))


def _run_trial(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, resumed: bool, artist: Artist
) -> tuple[Trial, Result]:
    start = checkpoint.steps_in(folder.checkpoint) if resumed else 0
    with console.progress(job.plan.steps, start=start) as progress:
        observer = _observer(job, folder, tracker, progress, artist)
        trial = Trial(job.plan, folder.checkpoint, observer, signals)
        try:
            return trial, trial.run(resume=resumed)
        except BaseException:
            if trial.measured:
                keepsakes.save_arrays(folder.arrays, trial.result())
            raise


def _keep(
    job: Job, folder: RunFolder, tracker: Tracker, trial: Trial, result: Result, artist: Artist
) -> None:
    """Keep arrays, figures and, unless it diverged, the model."""
    plan = job.plan
    artist.begin(keepsakes.drawings(folder.figures, plan, result, title=job.name))
    keepsakes.save_arrays(folder.arrays, result)
    theory = folder.path / "theory.csv"
    keepsakes.save_theory(theory, result)
    tracker.artifact(theory)
    if job.tracking.model and result.diverged_at is None:
        x, _ = plan.task.batch(plan.seed, "probe", 0, 2)
        tracker.model(trial.network, x.astype(plan.dtype))
    for path in artist.finish():
        tracker.artifact(path, "figures")


def _record_verdicts(tracker: Tracker, result: Result, verdicts: findings.Verdicts) -> None:
    tags = verdicts.tags()
    if result.diverged_at is not None:
        tags["diverged_at"] = str(result.diverged_at)
    tracker.tags(tags)
    _logger.info("%s", ", ".join(f"{key} {value}" for key, value in tags.items()))


def _put_in_words(
    job: Job, folder: RunFolder, tracker: Tracker, result: Result, verdicts: findings.Verdicts
) -> str:
    """Keep the verdict in words, with the metrics behind each sentence; return it as one paragraph."""
    init, clip = job.choices["init"], job.choices["clip"]
    sentences = advice.advise(findings.evidence(job.plan, init, clip, result, verdicts))
    path = folder.path / "verdict.txt"
    lines = [f"{sentence.text}  [{', '.join(sentence.metrics)}]\n" for sentence in sentences]
    path.write_text("".join(lines), encoding="utf-8")
    tracker.artifact(path)
    words = advice.paragraph(sentences)
    tracker.tags({"mlflow.note.content": words})  # what MLflow's page shows as the description of the run
    return words


def _observer(
    job: Job, folder: RunFolder, tracker: Tracker, progress: console.Progress, artist: Artist
) -> Observer:
    looks: list[Measurement] = []

    def on_block(block: Recorded) -> None:
        loss, norm = block.series("loss"), block.series("global_norm")
        progress.update(int(block.steps[-1]) + 1, float(loss[-1]), float(norm[-1]))
        tracker.metrics(_curve_points(block.every(job.tracking.every)))

    def on_measurement(measurement: Measurement) -> None:
        step, gradient = measurement.step, measurement.gradient
        _logger.info("step %d: rate %.5g, log10 ratio %.4g", step, gradient.rate, gradient.log10_ratio)
        tracker.metrics(_points(measurement.metrics(), measurement.step))
        looks.append(measurement)
        # The last look of the plan, after which the last step and the validation are left.
        if 0 < step == job.plan.steps - 1:
            drawings = keepsakes.drawings_of_looks(
                folder.figures, job.plan, looks[0], measurement, title=job.name
            )
            artist.begin(drawings)

    def on_validation(validated: Validated) -> None:
        score = validated.score
        _logger.info("step %d: validation loss %.5g, error %.4g", validated.step, score.loss, score.error)
        tracker.metrics(_points(findings.validation_metrics(job.plan, score), validated.step))

    return Observer(on_block, on_measurement, on_validation, on_checkpoint=tracker.flush)


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
    job: Job,
    folder: RunFolder,
    tracker: Tracker,
    result: Result,
    verdicts: findings.Verdicts,
    words: str,
    seconds: float,
) -> console.Summary:
    plan, end = job.plan, result.end
    lambda_low, lambda_high = exponent_interval(end.lyapunov)
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
        lambda_1=end.lyapunov.lambda_1,
        lambda_1_low=lambda_low,
        lambda_1_high=lambda_high,
        comparisons=end.comparisons,
        log10_ratio=end.gradient.log10_ratio,
        ratio_low=end.gradient.ratio_low,
        ratio_high=end.gradient.ratio_high,
        learning_verdict=verdicts.learning,
        words=words,
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
    predicted = "" if math.isnan(start.predicted_rate) else f" (mean field {start.predicted_rate:.4f})"
    return (
        f"diverged at training step {result.diverged_at}: the loss or a gradient was not finite",
        f"before training the gradient was {verdict}, {start.gradient.rate:.4f} nats per step{predicted}",
    )
