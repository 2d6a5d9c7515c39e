"""From the result of a run to what its verdict in words is made from."""

import math
from collections.abc import Mapping

import numpy as np

from rnnexp.diagnosis import comparison
from rnnexp.diagnosis.evidence import Evidence
from rnnexp.probes import GradientProfile
from rnnexp.runs import metrics
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_LN10 = math.log(10)


def gather(plan: Plan, choices: Mapping[str, str], result: Result, verdicts: metrics.Verdicts) -> Evidence:
    """Return what was chosen and what was found; `choices` are the names of the groups' choices."""
    end, gradient = result.end, result.end.gradient
    said = comparison.metrics(end.comparisons)  # no more than applies
    start = comparison.metrics(result.start.comparisons)
    score = metrics.final_score(result)
    scored = metrics.validation_metrics(plan, score)
    return Evidence(
        activation=plan.activation,
        cell=choices["cell"],
        init=choices["init"],
        gain=plan.initializer.gain,
        clip=choices["clip"],
        clip_threshold=getattr(plan.clip, "threshold", math.nan),
        optimizer=choices["optimizer"],
        learning_rate=getattr(plan.optimizer, "learning_rate", math.nan),
        dtype=plan.dtype,
        seq_len=plan.task.seq_len,
        time_steps=plan.task.time_steps,
        train_steps=result.steps_taken,
        batch_size=plan.batch_size,
        units=plan.units,
        probe_samples=plan.probe_batch_size,
        gradient=verdicts.gradient,
        gradient_start=verdicts.gradient_start,
        learning=verdicts.learning,
        rate=gradient.rate,
        rate_low=gradient.rate_low,
        rate_high=gradient.rate_high,
        rate_rms=gradient.rate_rms,
        effective_samples=gradient.effective_samples,
        rms_over_typical=_gap(gradient),
        predicted_rate=said.get("theory/rate", math.nan),
        log10_ratio=gradient.log10_ratio,
        ratio_start_high=result.start.gradient.ratio_high,
        decades=plan.decades,
        reach=_reach(gradient, plan.decades),
        saturated=end.units.saturated,
        dead=end.units.dead,
        clip_fraction=metrics.totals(plan, result, 0.0)["grad/clip_fraction"],
        loss=score.loss,
        floor_loss=plan.task.floor_loss,
        below=score.below,
        below_half_width=score.below_half_width,
        baseline=plan.task.baseline,
        error=score.error,
        proven_horizon=scored["task/proven_horizon"],
        published_sequences=plan.task.published_sequences,
        orthogonal_rate=end.predictions.orthogonal_rate,
        critical_gain=result.start.predictions.critical_gain,
        course=metrics.course_of(plan, result),
        diverged_at=result.diverged_at,
        rate_measured_q=said.get("theory/rate_measured_q", math.nan),
        rate_measured_slopes=said.get("theory/rate_measured_slopes", math.nan),
        rate_closure=said.get("theory/rate_closure", math.nan),
        rate_start=start.get("theory/rate", math.nan),
        rate_kernels=start.get("theory/rate_kernels", math.nan),
        rate_kernels_sd=start.get("theory/rate_kernels_sd", math.nan),
        rate_bound=said.get("theory/rate_bound", math.nan),
        gates=bool(plan.cell.gates),
        laws=plan.cell.laws,
        truncate=plan.truncate,
        truncation_cosine=math.nan if end.truncation is None else end.truncation.cosine,
        truncation_norm_ratio=math.nan if end.truncation is None else end.truncation.norm_ratio,
    )


def _gap(gradient: GradientProfile) -> float:
    """How far the rms norm at h_1 is above the typical one, decades; nan where either is not finite."""
    first, typical = gradient.log_norm[0], gradient.log_typical[0]
    return float(first - typical) / _LN10 if np.isfinite([first, typical]).all() else math.nan


def _reach(gradient: GradientProfile, decades: float) -> int | None:
    """The first lag at which the typical norm is further than `decades` below that at h_T."""
    by_lag = gradient.log_typical[::-1]
    if not np.isfinite(by_lag[0]):
        return None
    left = np.flatnonzero((by_lag - by_lag[0]) / _LN10 < -decades)
    return int(left[0]) if left.size else None
