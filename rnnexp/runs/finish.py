"""The end of a run: verdicts, words and figures, written to its folder and its tracker."""

import dataclasses
import logging
import math
import time
from collections.abc import Iterator, Sequence

import keras

from rnnexp.diagnosis.evidence import Evidence
from rnnexp.diagnosis.predictions import exponent_interval
from rnnexp.diagnosis.recommendations import Recommendation, merged, recommend
from rnnexp.diagnosis.words import Sentence, describe, paragraph
from rnnexp.probes.upper_layers import Results
from rnnexp.report.terminal import Summary
from rnnexp.runs import artifacts, metrics, task_report
from rnnexp.runs.commands import command
from rnnexp.runs.evidence import gather
from rnnexp.runs.figures import draw_figures
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.signals import Interruption
from rnnexp.tracking import Tracker, points
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_SHOWN = 3  # recommendations in the summary
_logger = logging.getLogger(__name__)


def finish(
    job: Job,
    folder: RunFolder,
    tracker: Tracker,
    network: keras.Model,
    result: Result,
    signals: Interruption,
    started: float,
) -> Summary:
    """Judge the result of a run, write it to folder and tracker, and return its summary.

    Args:
        job: Of the run.
        folder: Of the run.
        tracker: Of the run.
        network: The trained network.
        result: Its result.
        signals: Where signals arrive; a signal while figures are drawn loses the figures only.
        started: When the run began, by `time.perf_counter`.
    """
    verdicts = metrics.judge(job.plan, result)
    sentences: tuple[str, ...] = ()
    if result.diverged_at is None:
        sentences = task_report.report(job, folder, tracker, network, result.steps_taken)
    _save(job, folder, tracker, network, result)
    evidence = gather(job.plan, job.choices, result, verdicts)
    advised = recommend(evidence)[:_SHOWN]
    _record_verdicts(tracker, result, verdicts, advised)
    words = _put_in_words(job, folder, tracker, evidence, advised)
    seconds = time.perf_counter() - started
    tracker.metrics(points(metrics.totals(job.plan, result, seconds), result.steps_taken))
    remedies = [list(each.overrides) for each in advised]
    asked = {
        "overrides": list(job.overrides),
        "flags": list(job.flags),
        "seed": job.plan.seed,
        "remedies": remedies,
    }
    folder.update(verdicts=verdicts.tags(), **asked, seconds=round(seconds, 3))
    tracker.flush()  # from here on only figures can be lost
    figures = draw_figures(folder, tracker, signals, job.figure_format)
    summary = _summary(job, figures, tracker, result, verdicts, words, seconds)
    commands = tuple(_command(job, each) for each in advised)
    return dataclasses.replace(summary, remedies=commands, notes=(*summary.notes, *sentences))


def _save(job: Job, folder: RunFolder, tracker: Tracker, network: keras.Model, result: Result) -> None:
    """Save arrays, theory and, unless the run diverged, the model."""
    artifacts.save_arrays(folder.arrays, job.plan, result)
    theory = folder.path / "theory.csv"
    artifacts.save_theory(theory, result)
    tracker.artifact(theory)
    if job.tracking.model and result.diverged_at is None:
        tracker.model(network)


def _command(job: Job, advised: Recommendation) -> str:
    return command(job, merged(job.overrides, advised.overrides))


def _record_verdicts(
    tracker: Tracker, result: Result, verdicts: metrics.Verdicts, advised: Sequence[Recommendation]
) -> None:
    tags = verdicts.tags()
    if advised:
        tags["remedy"] = " ".join(advised[0].overrides)
    if result.diverged_at is not None:
        tags["diverged_at"] = str(result.diverged_at)
    tracker.tags(tags)
    _logger.info("%s", ", ".join(f"{key} {value}" for key, value in tags.items()))


def _put_in_words(
    job: Job, folder: RunFolder, tracker: Tracker, evidence: Evidence, advised: Sequence[Recommendation]
) -> str:
    """Write the verdict in words, with the metrics behind each sentence; return it as one paragraph.

    Recommendations come last, each with its command.
    """
    sentences = [*describe(evidence), *(Sentence(each.reason, each.metrics) for each in advised)]
    commands = ["" for _ in describe(evidence)] + [f"  {_command(job, each)}" for each in advised]
    path = folder.path / "verdict.txt"
    lines = [
        f"{text}{typed}  [{', '.join(names)}]\n"
        for (text, names), typed in zip(sentences, commands, strict=True)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    tracker.artifact(path)
    words = paragraph(sentences)
    tracker.tags({"mlflow.note.content": words})  # what MLflow's page shows as the description of the run
    return words


def _summary(
    job: Job,
    figures: str,
    tracker: Tracker,
    result: Result,
    verdicts: metrics.Verdicts,
    words: str,
    seconds: float,
) -> Summary:
    plan, end = job.plan, result.end
    lambda_low, lambda_high = exponent_interval(end.lyapunov)
    score = result.validations[-1].score if result.validations else None
    return Summary(
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
        rate_rms=end.gradient.rate_rms,
        rate_rms_low=end.gradient.rate_rms_low,
        rate_rms_high=end.gradient.rate_rms_high,
        effective_samples=end.gradient.effective_samples,
        lambda_1=end.lyapunov.lambda_1,
        lambda_1_low=lambda_low,
        lambda_1_high=lambda_high,
        upper_rates={number: _rate(results) for number, results in enumerate(end.upper, start=2)},
        comparisons=end.comparisons,
        log10_ratio=end.gradient.log10_ratio,
        ratio_low=end.gradient.ratio_low,
        ratio_high=end.gradient.ratio_high,
        learning_verdict=verdicts.learning,
        words=words,
        notes=(*_notes(result, verdicts), *_stopping(plan, result), *_at_lengths(result)),
        seconds=seconds,
        steps_per_second=result.steps_taken / result.history.seconds if result.history.seconds else math.nan,
        figures=figures,
        place=tracker.place,
        status="finished",
    )


def _rate(results: Results) -> tuple[float, float, float]:
    """Return the rate of the gradient in one layer, and the ends of its interval."""
    profile = results["gradient_profile"]
    return profile.rate, profile.rate_low, profile.rate_high


def _at_lengths(result: Result) -> tuple[str, ...]:
    """What the trained network scores at other lengths."""
    if not result.at_lengths:
        return ()
    errors = ", ".join(f"{each.score.error:.2%} at {each.task.seq_len:,}" for each in result.at_lengths)
    return (f"error at other lengths: {errors}",)


def _stopping(plan: Plan, result: Result) -> tuple[str, ...]:
    """What became of `stop=solved`."""
    if plan.stop != "solved":
        return ()
    if result.solved_at is not None:
        return (f"solved after {result.solved_at:,} of at most {plan.train_steps:,} training steps",)
    return (f"not solved within {plan.train_steps:,} training steps, where steps to criterion are censored",)


def _of_the_clip(result: Result) -> Iterator[str]:
    """Sentences on the gradients that a clip kept from the weights, and on the threshold that it found."""
    skipped, replaced = (int(result.clip_metrics.get(f"grad/{name}", 0)) for name in ("skipped", "replaced"))
    if skipped:
        what = "1 update was" if skipped == 1 else f"{skipped:,} updates were"
        yield f"{what} skipped, as a gradient was not finite"
    if replaced:
        what = "1 gradient was" if replaced == 1 else f"{replaced:,} gradients were"
        yield f"{what} lost (norm not finite or above 1e10): W_hh shrank in their place"
    if "grad/clip_threshold" in result.clip_metrics:
        yield f"the clip found a threshold of {result.clip_metrics['grad/clip_threshold']:.3g}"


def _notes(result: Result, verdicts: metrics.Verdicts) -> tuple[str, ...]:
    """Return sentences about a run that diverged or skipped updates, which its final numbers do not show."""
    if result.diverged_at is None:
        return tuple(_of_the_clip(result))
    start, verdict = result.start, verdicts.gradient_start.replace("_", "-")
    predicted = "" if math.isnan(start.predictions.rate) else f" (mean field {start.predictions.rate:.4f})"
    return (
        f"diverged at training step {result.diverged_at}: the loss or a gradient was not finite",
        f"before training the gradient was {verdict}, {start.gradient.rate:.4f} nats per step{predicted}",
    )
