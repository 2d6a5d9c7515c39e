"""Files of a run: its arrays, from which the figures are drawn, and the table of theory."""

import math
from pathlib import Path

import numpy as np

from rnnexp.diagnosis import comparison
from rnnexp.optim.clipping import GlobalNorm, Pascanu
from rnnexp.runs.metrics import chosen_threshold
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result


def save_arrays(path: Path, plan: Plan, result: Result) -> None:
    """Write the raw arrays, with their infinities and nans, as `.npz`; docs/metrics.md names them all.

    The arrays of a measurement are there twice, with the prefixes `start_` and `end_`.
    """
    looks = {
        f"{look}_{name}": array
        for look, measurement in (("start", result.start), ("end", result.end))
        for name, array in measurement.arrays().items()
    }
    lengths = _of_lengths(plan, result)
    np.savez_compressed(path, allow_pickle=False, **_of_training(plan, result), **looks, **lengths)


def _of_training(plan: Plan, result: Result) -> dict[str, np.ndarray]:
    """Return the arrays of training steps and validations, and the floor that a loss is compared with."""
    kept, spectra, validations = result.history.kept, result.spectra, result.validations
    return {
        "steps": kept.train_steps,
        "log_norms": kept.log_norms,
        **{f"log_norms_layer_{number}": norms for number, norms in enumerate(kept.upper, start=2)},
        "loss": kept.series("loss"),
        "global_norm": kept.series("global_norm"),
        "clipped_norm": kept.series("clipped_norm"),
        "clipped": kept.series("clipped").astype(bool),
        "spectrum_steps": spectra.train_steps,
        "spectral_radius": spectra.spectral_radius,
        "nonnormality": spectra.nonnormality,
        "singular_values": spectra.singular_values,
        "validation_steps": np.array([validated.step for validated in validations], np.int64),
        "validation_loss": np.array([validated.score.loss for validated in validations], np.float64),
        "floor_loss": np.array(plan.task.floor_loss),
        "loss_unit": np.array(plan.task.loss_unit),
        "clip_threshold": np.array(_norm_threshold(plan, result)),
        "gated": np.array(bool(plan.cell.gates)),
        "diverged_at": np.array(-1 if result.diverged_at is None else result.diverged_at),
    }


def _of_lengths(plan: Plan, result: Result) -> dict[str, np.ndarray]:
    """Return on which lengths was trained, and what was scored at others; nothing of a usual run."""
    if plan.lengths is None and not plan.evaluate_at:
        return {}
    usual = (plan.task.seq_len, plan.task.seq_len)
    trained = {"trained_lengths": np.array(usual if plan.lengths is None else plan.lengths[:2])}
    if not result.at_lengths:
        return trained
    criterion = math.nan if plan.task.criterion is None else plan.task.criterion
    scores = [score for _, score in result.at_lengths]
    return {
        **trained,
        "lengths": np.array([task.seq_len for task, _ in result.at_lengths]),
        "length_loss": np.array([score.loss for score in scores]),
        "length_loss_half_width": np.array([score.half_width for score in scores]),
        "length_floor_loss": np.array([task.floor_loss for task, _ in result.at_lengths]),
        "length_error": np.array([score.error for score in scores]),
        "length_floor_error": np.array([task.floor_error for task, _ in result.at_lengths]),
        "criterion": np.array(criterion),
    }


def _norm_threshold(plan: Plan, result: Result) -> float:
    """Return the threshold of a clip of the global norm, which the figure shows; nan for any other clip."""
    if not isinstance(plan.clip, GlobalNorm | Pascanu):
        return math.nan
    return result.clip_metrics.get("grad/clip_threshold", chosen_threshold(plan))


def save_theory(path: Path, result: Result) -> None:
    """Write predictions and measurements side by side, at the start and the end, as CSV."""
    looks = [result.start, result.end] if result.steps_taken > 0 else [result.start]
    comparison.write(path, [row for look in looks for row in comparison.rows(look.comparisons, look.step)])
