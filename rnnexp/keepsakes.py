"""The files that a run leaves: raw arrays and figures."""

from pathlib import Path

import numpy as np

from rnnexp import plotting
from rnnexp.clipping import GlobalNorm
from rnnexp.plan import Plan
from rnnexp.trial import Result

_LN10 = np.log(10)


def save_arrays(path: Path, result: Result) -> None:
    """Write the raw arrays, with their infinities and nans, as `.npz`.

        steps                                int64 (N,)         training steps that were kept
        log_norms                            float32 (N, T)     ln rms_b ||dl_b/dh_t||, nats, see below
        loss, global_norm, clipped_norm      float64 (N,)       of the same steps
        clipped                              bool (N,)          whether the update was clipped
        start_log_norm, end_log_norm         float64 (T,)       ln rms_b ||dl_b/dh_t|| of the probe batch
        start_eigenvalues, end_eigenvalues   complex128 (H,)    of W_hh
        validation_steps                     int64 (M,)         updates before a validation
        validation_loss                      float64 (M,)       in the task's unit

    In `log_norms` l_b is the training loss of sample b, in the profiles its loss at the last scored step.
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
    """Draw what the run found as PNG files in `folder`, and return their paths.

    `gradient_profile`, `spectrum` and, where the run trained, `gradient_heatmap` and `loss`.
    """
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
        # The other thresholds are not of the norm that is drawn.
        clip_threshold=plan.clip.threshold if isinstance(plan.clip, GlobalNorm) else None,
        title=title,
    )
    return [heatmap, loss]
