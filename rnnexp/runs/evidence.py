"""The evidence behind the verdict in words, gathered from the result of a run."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnexp.diagnosis import comparison
from rnnexp.diagnosis.evidence import Evidence
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.probes import GradientProfile
from rnnexp.runs import metrics
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_LN10 = math.log(10)


def gather(plan: Plan, choices: Mapping[str, str], result: Result, verdicts: metrics.Verdicts) -> Evidence:
    """Return setup, measurements and predictions of a run; `choices` maps each group to the chosen name."""
    bias = result.end.truncation
    return Evidence(
        **_setup(plan, choices, result),
        **_gradient(plan, result, verdicts),
        **_learning(plan, result, verdicts),
        **_theory(plan, result),
        truncate=plan.truncate,
        truncation_cosine=math.nan if bias is None else bias.cosine,
        truncation_norm_ratio=math.nan if bias is None else bias.norm_ratio,
    )


def _setup(plan: Plan, choices: Mapping[str, str], result: Result) -> dict[str, Any]:
    return {
        "activation": plan.activation,
        "cell": choices["cell"],
        "init": choices["init"],
        "gain": plan.initializer.gain,
        "clip": choices["clip"],
        "clip_threshold": result.clip_metrics.get("grad/clip_threshold", metrics.chosen_threshold(plan)),
        "optimizer": choices["optimizer"],
        "learning_rate": getattr(plan.optimizer, "learning_rate", math.nan),
        "dtype": plan.dtype,
        "seq_len": plan.task.seq_len,
        "time_steps": plan.task.time_steps,
        "train_steps": result.steps_taken,
        "batch_size": plan.batch_size,
        "units": plan.units,
        "layers": plan.layers,
        "probe_samples": plan.probe_batch_size,
        "gates": bool(plan.cell.gates),
    }


def _gradient(plan: Plan, result: Result, verdicts: metrics.Verdicts) -> dict[str, Any]:
    end, gradient = result.end, result.end.gradient
    return {
        "gradient": verdicts.gradient,
        "gradient_start": verdicts.gradient_start,
        "rate": gradient.rate,
        "rate_low": gradient.rate_low,
        "rate_high": gradient.rate_high,
        "rate_rms": gradient.rate_rms,
        "effective_samples": gradient.effective_samples,
        "rms_over_typical": _gap(gradient),
        "log10_ratio": gradient.log10_ratio,
        "ratio_start_high": result.start.gradient.ratio_high,
        "decades": plan.decades,
        "reach": _reach(gradient, plan.decades),
        "saturated": end.units.saturated,
        "dead": end.units.dead,
        "clip_fraction": metrics.totals(plan, result, 0.0)["grad/clip_fraction"],
        "upper_ratios": {
            number: results["gradient_profile"].log10_ratio
            for number, results in enumerate(end.upper, start=2)
        },
        "further_ratios": {
            name: profile.log10_ratio for name, profile in end.results.get("further_states", {}).items()
        },
    }


def _learning(plan: Plan, result: Result, verdicts: metrics.Verdicts) -> dict[str, Any]:
    score = metrics.final_score(result)
    return {
        "learning": verdicts.learning,
        "loss": score.loss,
        "floor_loss": plan.task.floor_loss,
        "below": score.below,
        "below_half_width": score.below_half_width,
        "baseline": plan.task.baseline,
        "error": score.error,
        "proven_horizon": metrics.validation_metrics(plan, score)["task/proven_horizon"],
        "published_sequences": plan.task.published_sequences,
        "course": metrics.course_of(plan, result),
        "diverged_at": result.diverged_at,
    }


def _theory(plan: Plan, result: Result) -> dict[str, Any]:
    """Return the predictions; a law that does not apply to the cell is nan."""
    start = comparison.metrics(result.start.comparisons)
    end = comparison.metrics(result.end.comparisons)
    return {
        "predicted_rate": end.get("theory/rate", math.nan),
        "orthogonal_rate": result.end.predictions.orthogonal_rate,
        "critical_gain": result.start.predictions.critical_gain,
        "rate_measured_q": end.get("theory/rate_measured_q", math.nan),
        "rate_measured_slopes": end.get("theory/rate_measured_slopes", math.nan),
        "rate_closure": end.get("theory/rate_closure", math.nan),
        "rate_start": start.get("theory/rate", math.nan),
        "rate_kernels": start.get("theory/rate_kernels", math.nan),
        "rate_kernels_sd": start.get("theory/rate_kernels_sd", math.nan),
        "rate_bound": end.get("theory/rate_bound", math.nan),
        "laws": plan.cell.laws,
        "chosen_biases": _chose_biases(plan.cell),
    }


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
