"""The files that a run leaves: raw arrays and figures."""

from pathlib import Path

import numpy as np

from rnnexp import plotting
from rnnexp.plan import Plan
from rnnexp.trial import Result

_LN10 = np.log(10)


def save_arrays(path: Path, result: Result) -> None:
    """Write the raw arrays, with their infinities and nans, as `.npz`.

    `steps` (N,), `log_norms` (N, T) ln rms_b ||dl_b/dh_t|| of the training loss at every recorded step, the
    scalars by name (N,); `start_log_norm` and `end_log_norm` (T,) of the probe batch;
    `start_eigenvalues` and `end_eigenvalues` (H,) of W_hh; `validation_steps`, `validation_loss` (M,).
    """
    kept = result.history.kept
    np.savez_compressed(
        path,
        steps=kept.steps,
        log_norms=kept.log_norms,
        loss=kept.series("loss"),
        global_norm=kept.series("global_norm"),
        clipped_norm=kept.series("clipped_norm"),
        clipped=kept.series("clipped").astype(bool),
        start_log_norm=result.start.gradient.log_norm,
        end_log_norm=result.end.gradient.log_norm,
        start_eigenvalues=result.start.spectrum.eigenvalues,
        end_eigenvalues=result.end.spectrum.eigenvalues,
        validation_steps=np.array([validated.step for validated in result.validations], np.int64),
        validation_loss=np.array([validated.score.loss for validated in result.validations], np.float64),
    )


def draw(folder: Path, plan: Plan, result: Result, title: str) -> list[Path]:
    """Draw what the run found and return the files: profile, spectrum and, where it trained, heat map and loss."""
    profile, spectrum = folder / "gradient_profile.png", folder / "spectrum.png"
    start, end = result.start, result.end
    trained = result.steps_taken > 0
    gradient = end.gradient
    plotting.gradient_profile(
        profile,
        start.gradient.log_norm / _LN10,
        gradient.log_norm / _LN10 if trained else None,
        rate=gradient.rate,
        rate_low=gradient.rate_low,
        rate_high=gradient.rate_high,
        predicted_rate=end.predicted_rate,
        rate_bound=end.rate_bound,
        title=title,
    )
    plotting.spectrum(
        spectrum,
        start.spectrum.eigenvalues,
        end.spectrum.eigenvalues if trained else None,
        end.spectrum.sigma_max,
        title=title,
    )
    return [*(_draw_training(folder, plan, result, title) if trained else []), profile, spectrum]


def _draw_training(folder: Path, plan: Plan, result: Result, title: str) -> list[Path]:
    heatmap, loss = folder / "gradient_heatmap.png", folder / "loss.png"
    kept = result.history.kept
    plotting.gradient_heatmap(heatmap, kept.steps, kept.log_norms / _LN10, title=title)
    steps = np.array([validated.step for validated in result.validations])
    losses = np.array([validated.score.loss for validated in result.validations])
    plotting.loss_curve(
        loss,
        kept.steps,
        kept.series("loss"),
        plan.task.floor_loss,
        validation=(steps, losses) if result.validations else None,
        unit=plan.task.loss_unit,
        diverged_at=result.diverged_at,
        gradient_norms=(kept.series("global_norm"), kept.series("clipped_norm")),
        clip_threshold=getattr(plan.clip, "threshold", None),
        title=title,
    )
    return [heatmap, loss]
