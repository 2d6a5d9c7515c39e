"""The metrics and verdicts of a run, under the names that other programs read."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rnnexp.diagnosis.course import Course
from rnnexp.diagnosis.measurement import Measurement
from rnnexp.diagnosis.verdict import (
    GradientVerdict,
    LearningVerdict,
    Validation,
    gradient_verdict,
    is_under,
    learning_verdict,
)
from rnnexp.training.config import Plan
from rnnexp.training.evaluation import Score
from rnnexp.training.replica import Result

_NO_SCORE = Validation(math.nan, 0.0, math.nan, enough=False, below=math.nan, below_half_width=math.nan)


class Verdicts(NamedTuple):
    """The verdicts on a run, at the end and (of the gradient) before the first step."""

    gradient: GradientVerdict
    gradient_start: GradientVerdict
    learning: LearningVerdict
    budget_exhausted: bool

    def tags(self) -> dict[str, str]:
        """Return the verdicts as tags."""
        return {
            "verdict.gradient": self.gradient,
            "verdict.gradient_start": self.gradient_start,
            "verdict.learning": self.learning,
            "budget_exhausted": str(self.budget_exhausted).lower(),
        }


def judge(plan: Plan, result: Result) -> Verdicts:
    """Return the verdicts on a run that has ended.

    The budget is exhausted if the run took all its steps and neither solved the task nor diverged.
    """
    diverged = result.diverged_at is not None
    learning = learning_verdict(final_score(result), plan.task.floor_loss, plan.task.criterion, diverged)
    return Verdicts(
        _judge_gradient(result.end, plan.decades),
        _judge_gradient(result.start, plan.decades),
        learning,
        budget_exhausted=learning in ("learning", "at_chance", "worse_than_chance"),
    )


def final_score(result: Result) -> Validation:
    """Return the last validation; nan where there is none."""
    return result.validations[-1].score if result.validations else _NO_SCORE


def _judge_gradient(measurement: Measurement, decades: float) -> GradientVerdict:
    gradient = measurement.gradient
    return gradient_verdict(gradient.ratio_low, gradient.ratio_high, gradient.nonfinite_share, decades)


def constants(plan: Plan) -> dict[str, float]:
    """Return the metrics that are known before a run: the floors, and swept settings as numbers.

    MLflow sorts parameters as text; charts need numbers. Their prefix comes last in the alphabet, so that the
    pages of charts open on others. What a plan does not have is nan.
    """
    learning_rate = getattr(plan.optimizer, "learning_rate", math.nan)
    mirrors = {
        "seq_len": plan.task.seq_len,
        "units": plan.units,
        "batch_size": plan.batch_size,
        "seed": plan.seed,
        "init_gain": plan.initializer.gain,
        "clip_threshold": chosen_threshold(plan),
        "learning_rate": learning_rate,
        "log10_learning_rate": math.log10(learning_rate),  # the axes of MLflow's charts are linear
    }
    floors = {"task/floor_loss": plan.task.floor_loss, "task/floor_error": plan.task.floor_error}
    # MLflow's comparison of runs opens on the metric that came first, and floors are the same for most runs.
    return {f"with/{name}": float(value) for name, value in mirrors.items()} | floors


def chosen_threshold(plan: Plan) -> float:
    """Return the threshold of the clip where it was chosen as a number, else nan."""
    threshold = getattr(plan.clip, "threshold", math.nan)
    return math.nan if threshold == "auto" else threshold


def validation_metrics(plan: Plan, score: Validation) -> dict[str, float]:
    """Return loss, error, the difference from the baseline's loss, and the proven horizon.

    Texts also have the loss in bits: loss / ln 2. The horizon is that of the upper end of the loss's 95 %
    interval.
    """
    metrics = {
        "val/loss": score.loss,
        "val/loss_half_width": score.half_width,
        "val/error": score.error,
        "val/loss_below_floor": score.below,
        "val/loss_below_floor_half_width": score.below_half_width,
        "task/proven_horizon": plan.task.proven_horizon(score.highest_loss(plan.task.floor_loss)),
    }
    if plan.task.loss_unit == "nats per character":
        metrics["val/bits_per_character"] = score.loss / math.log(2)
    return metrics


def course_of(plan: Plan, result: Result) -> Course:
    """Return the course of a run's training."""
    kept = result.history.kept
    return Course(
        kept.train_steps,
        kept.series("loss"),
        kept.series("global_norm"),
        plan.task.floor_loss,
        tuple(validated.score.below for validated in result.validations),
    )


def totals(plan: Plan, result: Result) -> dict[str, float]:
    """Return what a table over runs needs: extremes, spikes, clip fraction, speed; nan for none."""
    history, train_steps = result.history, result.steps_taken
    # Updates after a divergence that was not yet noticed do not count.
    counted = train_steps if result.diverged_at is None else result.diverged_at + 1
    course = course_of(plan, result)
    spike = course.spike()
    return {
        "train/loss_min": _extreme(np.min, history.kept.series("loss")),
        "grad/global_norm_max": _extreme(np.max, history.kept.series("global_norm")),
        "grad/global_norm_median": course.usual_norm,
        "grad/spikes": course.spikes if train_steps else math.nan,
        "grad/spike_step": math.nan if spike is None else spike.step,
        "grad/clip_fraction": history.clipped / counted if counted else math.nan,
        "time/steps_per_second": train_steps / history.seconds if history.seconds else math.nan,
        "time/train_seconds": history.seconds,
        **stopping(plan, result),
        **at_lengths(result),
        **result.clip_metrics,
        **result.phase_metrics,
    }


def at_lengths(result: Result) -> dict[str, float]:
    """Return how far the trained network generalises, of a run that was scored at other lengths.

    Up to which length the error stays under the criterion, and the loss under the baseline's, at every length
    scored (0: not at the shortest); and the error at the longest.
    """
    if not result.at_lengths:
        return {}
    longest = result.at_lengths[-1]
    return {
        "lengths/solved_to": _held_to(
            result.at_lengths, lambda each: is_under(each.score.error, each.task.criterion)
        ),
        "lengths/learned_to": _held_to(
            result.at_lengths, lambda each: each.score.below - each.score.below_half_width > 0
        ),
        "lengths/longest_error": longest.score.error,
    }


def _held_to(scores: Sequence[Score], holds: Callable[[Score], bool]) -> float:
    return float(max((each.task.seq_len for each in itertools.takewhile(holds, scores)), default=0))


def stopping(plan: Plan, result: Result) -> dict[str, float]:
    """Return whether and when the task was solved, of a run that ends there; of others nothing.

    Where `train/solved` is 0, `train/steps_to_criterion` is absent, and censored at the budget.
    """
    if plan.stop != "solved":
        return {}
    solved_at = math.nan if result.solved_at is None else result.solved_at
    return {"train/solved": float(result.solved_at is not None), "train/steps_to_criterion": solved_at}


def _extreme(reduce: Callable[[np.ndarray], float], values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(reduce(finite)) if finite.size else math.nan
