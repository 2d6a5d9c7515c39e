"""The end of a run: verdicts, words and figures, written to its folder and its tracker."""

import logging
import math
import time
from collections.abc import Iterator, Sequence

import keras

from rnnexp.diagnosis.evidence import Evidence, Recommendation
from rnnexp.diagnosis.recommendations import merged, recommend
from rnnexp.diagnosis.words import describe
from rnnexp.report.terminal import Summary
from rnnexp.runs import artifacts, metrics, task_report
from rnnexp.runs.evidence import gather
from rnnexp.runs.figures import draw_figures
from rnnexp.runs.job import Job
from rnnexp.runs.run_context import OpenRun
from rnnexp.runtime.signals import Interruption
from rnnexp.tracking import Tracker, points
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_SHOWN = 3  # recommendations in the summary
_logger = logging.getLogger(__name__)


def finish(
    run: OpenRun, network: keras.Model, result: Result, signals: Interruption, started: float
) -> Summary:
    """Judge the result of a run, write it to folder and tracker, and return its summary.

    Args:
        run: The run.
        network: The trained network.
        result: Its result.
        signals: Where signals arrive; a signal while figures are drawn loses the figures only.
        started: When the run began, by `time.perf_counter`.
    """
    job, folder, tracker, *_ = run
    verdicts = metrics.judge(job.plan, result)
    sentences: tuple[str, ...] = ()
    if result.diverged_at is None:
        sentences = task_report.report(run, network, result.steps_taken)
    _save(run, network, result)
    evidence = gather(job.plan, job.choices, result, verdicts)
    advised = recommend(evidence)[:_SHOWN]
    _record_verdicts(tracker, result, verdicts, advised)
    words = _put_in_words(run, evidence, advised)
    seconds = time.perf_counter() - started
    totals = {**metrics.totals(job.plan, result), "time/total_seconds": seconds}
    tracker.metrics(points(totals, result.steps_taken))
    folder.update(
        verdicts=verdicts.tags(),
        overrides=list(job.overrides),
        flags=list(job.flags),
        seed=job.plan.seed,
        remedies=[list(each.overrides) for each in advised],
        seconds=round(seconds, 3),
    )
    tracker.flush()  # from here on only figures can be lost
    figures = draw_figures(folder, tracker, signals, job.figure_format)
    return Summary(
        configuration=job.name,
        seed=job.plan.seed,
        folder=folder.path,
        gradient_verdict=verdicts.gradient,
        learning_verdict=verdicts.learning,
        numbers={**evidence.numbers, **totals},
        loss_unit=job.plan.task.loss_unit,
        layers=result.end.layers,
        comparisons=result.end.comparisons,
        notes=(*_notes(job.plan, result, verdicts), *sentences),
        words=words,
        remedies=tuple(_command(job, each) for each in advised),
        places={"figures": figures, **tracker.place.labelled()},
    )


def _save(run: OpenRun, network: keras.Model, result: Result) -> None:
    """Save arrays, theory and, unless the run diverged, the model."""
    job, folder, tracker, *_ = run
    artifacts.save_arrays(folder.arrays, job.plan, result)
    theory = folder.path / "theory.csv"
    artifacts.save_theory(theory, result)
    tracker.artifact(theory)
    if job.tracking.model and result.diverged_at is None:
        tracker.model(network)


def _command(job: Job, advised: Recommendation) -> str:
    return job.command(merged(job.overrides, advised.overrides))


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


def _put_in_words(run: OpenRun, evidence: Evidence, advised: Sequence[Recommendation]) -> str:
    """Write the verdict in words, with the metrics behind each sentence; return it as one paragraph.

    Recommendations come last, each with its command.
    """
    found = describe(evidence)
    commands = [(f"{each.reason}  {_command(run.job, each)}", each.metrics) for each in advised]
    lines = [f"{text}  [{', '.join(names)}]\n" for text, names in [*found, *commands]]
    path = run.folder.path / "verdict.txt"
    path.write_text("".join(lines), encoding="utf-8")
    run.tracker.artifact(path)
    words = " ".join([*(sentence.text for sentence in found), *(each.reason for each in advised)])
    run.tracker.tags({"mlflow.note.content": words})  # what MLflow's page shows as the description of the run
    return words


def _notes(plan: Plan, result: Result, verdicts: metrics.Verdicts) -> Iterator[str]:
    """Yield sentences about what the final numbers do not show."""
    if result.diverged_at is None:
        yield from _of_the_clip(result)
    else:
        start, verdict = result.start, verdicts.gradient_start.replace("_", "-")
        rate = f"{start.gradient.rate:.4f} nats per step"
        if not math.isnan(start.predictions.rate):
            rate = f"{rate} (mean field {start.predictions.rate:.4f})"
        yield f"diverged at training step {result.diverged_at}: the loss or a gradient was not finite"
        yield f"before training the gradient was {verdict}, {rate}"
    most = f"{plan.train_steps:,} training steps"
    if result.solved_at is not None:
        yield f"solved after {result.solved_at:,} of at most {most}"
    elif plan.stop == "solved":
        yield f"not solved within {most}, where steps to criterion are censored"
    if result.at_lengths:
        errors = (f"{each.score.error:.2%} at {each.task.seq_len:,}" for each in result.at_lengths)
        yield f"error at other lengths: {', '.join(errors)}"


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
