"""The files that a run leaves: raw arrays and figures."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnnexp import plotting
from rnnexp.diagnosis import comparison
from rnnexp.diagnosis.measurement import Measurement
from rnnexp.optim.clipping import GlobalNorm
from rnnexp.runs.artist import Drawing
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_LN10 = np.log(10)


def save_arrays(path: Path, result: Result) -> None:
    """Write the raw arrays, with their infinities and nans, as `.npz`.

        steps                                int64 (N,)         training steps that were kept
        log_norms                            float32 (N, T)     ln rms_b ||dl_b/dh_t||, nats, see below
        loss, global_norm, clipped_norm      float64 (N,)       of the same steps
        clipped                              bool (N,)          whether the update was clipped
        start_log_norm, end_log_norm         float64 (T,)       ln rms_b ||dl_b/dh_t|| of the probe batch
        start_log_norm_c, end_log_norm_c     float64 (T-1,)     ln rms_b ||dl_b/dc_t|| of an LSTM, t < T
        start_eigenvalues, end_eigenvalues   complex128 (H,)    of W_hh, or of a gated cell's candidate
        start_lag_log_norm, end_lag_log_norm float64 (T,)       ln of each lag's part of dL/dW_hh, first lag 0
        start_effective_rank, end_...        float64 (T,)       of the states of the probe batch
        spectrum_steps                       int64 (K,)         updates before a look
        spectral_radius, nonnormality        float64 (K,)       of W_hh, at every look
        singular_values                      float64 (K, H)     of W_hh, at every look
        validation_steps                     int64 (M,)         updates before a validation
        validation_loss                      float64 (M,)       in the task's unit

    In `log_norms` l_b is the training loss of sample b, in the profiles its loss at the last scored step.
    """
    kept, looks = result.history.kept, {"start": result.start, "end": result.end}
    carries: dict[str, Any] = {
        f"{name}_log_norm_c": look.carry.log_norm for name, look in looks.items() if look.carry is not None
    }
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
        start_lag_log_norm=result.start.lags.log_norm,
        end_lag_log_norm=result.end.lags.log_norm,
        start_effective_rank=result.start.hidden.effective_rank,
        end_effective_rank=result.end.hidden.effective_rank,
        spectrum_steps=result.spectra.steps,
        spectral_radius=result.spectra.spectral_radius,
        nonnormality=result.spectra.nonnormality,
        singular_values=result.spectra.singular_values,
        validation_steps=np.array([validated.step for validated in result.validations], np.int64),
        validation_loss=np.array([validated.score.loss for validated in result.validations], np.float64),
        **carries,
    )


def save_theory(path: Path, result: Result) -> None:
    """Write what theory says beside what was measured, at the start and the end, as CSV."""
    looks = [result.start, result.end] if result.steps_taken > 0 else [result.start]
    comparison.write(path, [row for look in looks for row in comparison.rows(look.comparisons, look.step)])


def drawings(folder: Path, plan: Plan, result: Result, title: str) -> list[Drawing]:
    """Return what shows what the run found, PNG files in `folder`.

    `gradient_profile`, `spectrum`, `states`, `lags` and, where the run trained, `gradient_heatmap`, `loss`
    and `spectrum_history`.
    """
    trained = result.steps_taken > 0
    looks = drawings_of_looks(folder, plan, result.start, result.end if trained else None, title)
    loss = [_loss(folder / "loss.png", plan, result, title)] if trained else []
    return [*loss, *drawings_of_training(folder, plan, result, title), *looks]


def drawings_of_training(folder: Path, plan: Plan, result: Result, title: str) -> list[Drawing]:
    """Return those of `drawings` that need no final validation; none where no step was taken."""
    if result.steps_taken == 0:
        return []
    return [
        _drawing(
            plotting.gradient_heatmap,
            folder / "gradient_heatmap.png",
            result.history.kept.steps,
            result.history.kept.log_norms / _LN10,
            title=title,
        ),
        _drawing(
            plotting.spectrum_history,
            folder / "spectrum_history.png",
            result.spectra.steps,
            result.spectra.spectral_radius,
            result.spectra.singular_values,
            result.spectra.nonnormality,
            title=_of_kernel(plan, title),
        ),
    ]


def drawings_of_looks(
    folder: Path, plan: Plan, start: Measurement, end: Measurement | None, title: str
) -> list[Drawing]:
    """Return those of `drawings` that need the first and the last look alone; `end` is None without steps."""
    last = start if end is None else end
    return [
        _drawing(
            plotting.hidden_states,  # first, as it takes as long as three others
            folder / "states.png",
            start.hidden,
            None if end is None else end.hidden,
            title=title,
        ),
        _drawing(
            plotting.spectrum,
            folder / "spectrum.png",
            start.spectrum.eigenvalues,
            None if end is None else end.spectrum.eigenvalues,
            last.spectrum.sigma_max,
            title=_of_kernel(plan, title),
        ),
        _profile(folder / "gradient_profile.png", start, end, title),
        _drawing(
            plotting.lag_contributions,
            folder / "lags.png",
            start.lags,
            None if end is None else end.lags,
            predicted_rate=comparison.metrics(start.comparisons).get("theory/rate"),
            title=title,
        ),
    ]


def _drawing(plot: Callable[..., None], path: Path, *args: Any, **options: Any) -> Drawing:
    return Drawing(path, functools.partial(plot, path, *args, **options))


def _of_kernel(plan: Plan, title: str) -> str:
    return f"{title}, block of the candidate" if plan.cell.gated else title


def _profile(path: Path, start: Measurement, end: Measurement | None, title: str) -> Drawing:
    last = start if end is None else end
    gradient, said = last.gradient, comparison.metrics(last.comparisons)
    return _drawing(
        plotting.gradient_profile,
        path,
        start.gradient.log_norm / _LN10,
        None if end is None else gradient.log_norm / _LN10,
        rate=gradient.rate,
        rate_low=gradient.rate_low,
        rate_high=gradient.rate_high,
        predicted_rate=said.get("theory/rate"),
        rate_measured_slopes=said.get("theory/rate_measured_slopes"),
        rate_bound=said.get("theory/rate_bound"),
        title=title,
    )


def _loss(path: Path, plan: Plan, result: Result, title: str) -> Drawing:
    kept = result.history.kept
    steps = np.array([validated.step for validated in result.validations])
    losses = np.array([validated.score.loss for validated in result.validations])
    return _drawing(
        plotting.loss_curve,
        path,
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
