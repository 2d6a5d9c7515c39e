"""The evidence behind the verdict in words, gathered from the result of a run."""

import math
from collections.abc import Mapping

import numpy as np

from rnnexp.diagnosis.evidence import Evidence
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.probes import GradientProfile
from rnnexp.runs import metrics
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_LN10 = math.log(10)


def gather(plan: Plan, choices: Mapping[str, str], result: Result, verdicts: metrics.Verdicts) -> Evidence:
    """Return setup, verdicts and numbers of a run; `choices` maps each group to the chosen name."""
    end, further = result.end, result.end.results.get("further_states", {})
    return Evidence(
        numbers={
            "grad/clip_threshold": metrics.chosen_threshold(plan),
            **metrics.constants(plan),
            **end.metrics(),
            **metrics.validation_metrics(plan, metrics.final_score(result)),
            **metrics.totals(plan, result),
        },
        start=result.start.metrics(),
        activation=plan.activation,
        cell=choices["cell"],
        init=choices["init"],
        gain=plan.initializer.gain,
        clip=choices["clip"],
        optimizer=choices["optimizer"],
        learning_rate=getattr(plan.optimizer, "learning_rate", math.nan),
        dtype=plan.dtype,
        seq_len=plan.task.seq_len,
        time_steps=plan.task.time_steps,
        train_steps=result.steps_taken,
        batch_size=plan.batch_size,
        units=plan.units,
        layers=plan.layers,
        truncate=plan.truncate,
        probe_samples=plan.probe_batch_size,
        decades=plan.decades,
        baseline=plan.task.baseline,
        published_sequences=plan.task.published_sequences,
        gates=bool(plan.cell.gates),
        laws=plan.cell.laws,
        chosen_biases=_chose_biases(plan.cell),
        gradient=verdicts.gradient,
        gradient_start=verdicts.gradient_start,
        learning=verdicts.learning,
        course=metrics.course_of(plan, result),
        diverged_at=result.diverged_at,
        rms_over_typical=_gap(end.gradient),
        reach=_reach(end.gradient, plan.decades),
        further_ratios={name: profile.log10_ratio for name, profile in further.items()},
        orthogonal_rate=end.predictions.orthogonal_rate,
        critical_gain=result.start.predictions.critical_gain,
    )


def _chose_biases(cell: CellSpec) -> bool:
    chosen = [getattr(cell, name, None) for name in ("chrono", "forget_bias")]
    return chosen != [None, None] or getattr(cell, "update_bias", 0.0) != 0


def _gap(gradient: GradientProfile) -> float:
    """How far the rms norm at h_1 is above the typical one, decades; nan where either is not finite."""
    first, typical = gradient.log_norm[0], gradient.log_typical[0]
    return float(first - typical) / _LN10 if np.isfinite([first, typical]).all() else math.nan


def _reach(gradient: GradientProfile, decades: float) -> int | None:
    """The first lag at which the typical norm is further than `decades` below that at h_T."""
    by_lag = gradient.log_typical[::-1]
    if not np.isfinite(by_lag[0]):
        return None
    below = np.flatnonzero((by_lag - by_lag[0]) / _LN10 < -decades)
    return int(below[0]) if below.size else None
