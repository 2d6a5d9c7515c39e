"""The files that a run leaves: raw arrays and figures."""

import functools
import importlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rnnexp import plotting
from rnnexp.diagnosis import comparison
from rnnexp.diagnosis.measurement import Measurement
from rnnexp.optim.clipping import GlobalNorm
from rnnexp.probes import catalogue
from rnnexp.runs.artist import Drawing
from rnnexp.training.config import Plan
from rnnexp.training.replica import Result

_LN10 = np.log(10)


def save_arrays(path: Path, plan: Plan, result: Result) -> None:
    """Write the raw arrays, with their infinities and nans, as `.npz`; docs/metrics.md names them all.

    What a look found is there twice, `start_` and `end_`.
    """
    looks = _of_looks(result.start, result.end)
    np.savez_compressed(path, allow_pickle=False, **_of_training(plan, result), **looks)


def _of_looks(start: Measurement, end: Measurement) -> dict[str, np.ndarray]:
    looks = {"start": start.arrays(), "end": end.arrays()}
    return {f"{look}_{name}": array for look, arrays in looks.items() for name, array in arrays.items()}


def _of_training(plan: Plan, result: Result) -> dict[str, np.ndarray]:
    """Return what the training steps and the validations left, and what a loss is compared with."""
    kept, spectra, validations = result.history.kept, result.spectra, result.validations
    return {
        "steps": kept.steps,
        "log_norms": kept.log_norms,
        "loss": kept.series("loss"),
        "global_norm": kept.series("global_norm"),
        "clipped_norm": kept.series("clipped_norm"),
        "clipped": kept.series("clipped").astype(bool),
        "spectrum_steps": spectra.steps,
        "spectral_radius": spectra.spectral_radius,
        "nonnormality": spectra.nonnormality,
        "singular_values": spectra.singular_values,
        "validation_steps": np.array([validated.step for validated in validations], np.int64),
        "validation_loss": np.array([validated.score.loss for validated in validations], np.float64),
        "floor_loss": np.array(plan.task.floor_loss),
        "loss_unit": np.array(plan.task.loss_unit),
        "clip_threshold": np.array(_norm_threshold(plan)),
        "gated": np.array(bool(plan.cell.gates)),
        "diverged_at": np.array(-1 if result.diverged_at is None else result.diverged_at),
    }


def _norm_threshold(plan: Plan) -> float:
    """Return the threshold of the norm that is drawn, else nan: those of other clips are of other norms."""
    return plan.clip.threshold if isinstance(plan.clip, GlobalNorm) else math.nan


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
    kept, spectra = result.history.kept, result.spectra
    path = folder / "gradient_heatmap.png"
    heatmap = _drawing(plotting.gradient_heatmap, path, kept.steps, kept.log_norms / _LN10, title=title)
    if spectra.steps.size == 0:  # of a cell that has no recurrent matrix
        return [heatmap]
    return [
        heatmap,
        _drawing(
            plotting.spectrum_history,
            folder / "spectrum_history.png",
            spectra.steps,
            spectra.spectral_radius,
            spectra.singular_values,
            spectra.nonnormality,
            title=_of_kernel(plan, title),
        ),
    ]


def drawings_of_looks(
    folder: Path, plan: Plan, start: Measurement, end: Measurement | None, title: str
) -> list[Drawing]:
    """Return those of `drawings` that need the first and the last look alone; `end` is None without steps."""
    states, last_states = _results("states", start, end)
    looks = [_drawing(plotting.hidden_states, folder / "states.png", states, last_states, title=title)]
    if start.spectrum is not None:
        looks.append(_spectrum(folder / "spectrum.png", plan, start, end, title))
    looks.append(_profile(folder / "gradient_profile.png", start, end, title))
    lags, last_lags = _results("lags", start, end)
    if lags is not None:
        rate = comparison.metrics(start.comparisons).get("theory/rate")
        path, options = folder / "lags.png", {"predicted_rate": rate, "title": title}
        looks.append(_drawing(plotting.lag_contributions, path, lags, last_lags, **options))
    arrays = _of_looks(start, start if end is None else end)
    return [*looks, *_from_arrays(folder, start, arrays, title)]


def _from_arrays(
    folder: Path, look: Measurement, arrays: dict[str, np.ndarray], title: str
) -> Iterator[Drawing]:
    """Yield the figures of probes that are drawn by a function `draw` of their own from arrays alone."""
    for probe in catalogue.PROBES:
        if not probe.has_figure or probe.name not in look.results:
            continue
        draw = getattr(importlib.import_module(f"rnnexp.plotting.{probe.name}"), "draw", None)
        if draw is not None:
            path = folder / f"{probe.name}.png"
            yield Drawing(path, functools.partial(draw, arrays, path, title))


def _results(probe: str, start: Measurement, end: Measurement | None) -> tuple[Any, Any]:
    """Return what a probe found at both looks, None where it found nothing."""
    return start.results.get(probe), None if end is None else end.results.get(probe)


def _spectrum(path: Path, plan: Plan, start: Measurement, end: Measurement | None, title: str) -> Drawing:
    first, last = _results("spectrum", start, end)
    return _drawing(
        plotting.spectrum,
        path,
        first.eigenvalues,
        None if last is None else last.eigenvalues,
        (first if last is None else last).sigma_max,
        title=_of_kernel(plan, title),
    )


def _drawing(plot: Callable[..., None], path: Path, *args: Any, **options: Any) -> Drawing:
    return Drawing(path, functools.partial(plot, path, *args, **options))


def _of_kernel(plan: Plan, title: str) -> str:
    return f"{title}, block of the candidate" if plan.cell.gates else title


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
        clip_threshold=_norm_threshold(plan),
        title=title,
    )
