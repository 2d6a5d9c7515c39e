"""The loss over training, against what the best constant predictor scores."""

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays
from rnnexp.runtime.checks import ArgumentError

_BINS = 1000
_MEDIAN_POINTS = 400
_MEDIAN_WINDOWS = 50
# A logarithmic axis that spans less than half a decade has hardly any labelled ticks.
_SMALLEST_LOG_RATIO = 10**0.5


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw the loss of a run and the norm of its gradient (see `loss_curve`)."""
    diverged_at = int(arrays["diverged_at"])
    loss_curve(
        path,
        arrays["steps"],
        arrays["loss"],
        float(arrays["floor_loss"]),
        validation=(arrays["validation_steps"], arrays["validation_loss"]),
        unit=str(arrays["loss_unit"]),
        diverged_at=None if diverged_at < 0 else diverged_at,
        gradient_norms=(arrays["global_norm"], arrays["clipped_norm"]),
        clip_threshold=float(arrays["clip_threshold"]),
        title=title,
    )


def loss_curve(
    path: str | os.PathLike,
    train_steps: np.ndarray,
    loss: np.ndarray,
    floor: float | None = None,
    *,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    unit: str = "",
    diverged_at: int | None = None,
    gradient_norms: tuple[np.ndarray, np.ndarray] | None = None,
    clip_threshold: float | None = None,
    title: str = "",
) -> None:
    """Draw the training loss, its running median, the validation loss and the floor.

    The median's window is a fiftieth of the run. For long runs the lowest and highest value of each of 1000
    blocks are drawn, which preserves the curve's outline. Non-finite values are left out, and the step of the
    first one is marked. The y axis is logarithmic if all values are positive and span half a decade.

    Args:
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        train_steps: Training-step numbers (N,), strictly increasing.
        loss: Training loss (N,).
        floor: Loss of the best constant predictor. None or nan: not drawn.
        validation: Step numbers (M,) and losses (M,), or None.
        unit: What one unit of the loss is.
        diverged_at: Step of divergence; None: the first step whose loss is not finite.
        gradient_norms: Global norm of the gradient before and after clipping, (N,) each, for a lower panel.
        clip_threshold: The norm at which gradients are clipped. None or nan: not drawn.
        title: Text over the figure.

    Raises:
        ArgumentError: Shapes do not match, an array is empty, or steps do not increase.
    """
    loss = style.array("loss", loss, 1).astype(np.float64)
    train_steps = style.training_steps("steps", train_steps, len(loss))
    panels = 1 if gradient_norms is None else 2
    heading = "Loss over training" if panels == 1 else "Loss and gradient norm over training"
    with style.paper_figure(path, (4.8, 3.2 if panels == 1 else 4.8), title, heading) as figure:
        rows = figure.subplots(panels, 1, sharex=True, squeeze=False, height_ratios=[1.5, 1][:panels])[:, 0]
        _draw_loss(rows[0], train_steps, loss, validation, floor)
        _mark_divergence(rows, first_non_finite(train_steps, loss) if diverged_at is None else diverged_at)
        rows[0].set_ylabel(f"loss ({unit})" if unit else "loss")
        style.legend_above(rows[0], columns=2)
        if gradient_norms is not None:
            _draw_norms(rows[1], train_steps, gradient_norms, clip_threshold)
        style.training_axis(rows[-1])
        reached = (
            train_steps if validation is None else np.concatenate([train_steps, np.asarray(validation[0])])
        )
        _show_steps(rows[-1], reached)


def _show_steps(axes: Axes, train_steps: np.ndarray) -> None:
    first, last = float(train_steps.min()), float(train_steps.max())
    margin = 0.02 * (last - first) if last > first else 0.5
    axes.set_xlim(first - margin, last + margin)


def outline(train_steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the visible points of a curve: the lowest and highest of each of at most 1000 blocks."""
    if len(values) <= 2 * _BINS:
        return train_steps, values
    blocks = np.array_split(np.arange(len(values)), _BINS)
    kept = np.unique([[b[values[b].argmin()], b[values[b].argmax()]] for b in blocks])
    return train_steps[kept], values[kept]


def running_median(train_steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a centred running median over a fiftieth of the values, at no more than 400 points."""
    half = len(values) // (2 * _MEDIAN_WINDOWS)
    centres = np.unique(np.linspace(0, len(values) - 1, _MEDIAN_POINTS).astype(int))
    medians = [np.median(values[max(0, centre - half) : centre + half + 1]) for centre in centres]
    return train_steps[centres], np.array(medians)


def first_non_finite(train_steps: np.ndarray, values: np.ndarray) -> int | None:
    """Return the step of the first value that is nan or infinite, or None."""
    bad = ~np.isfinite(values)
    return int(train_steps[bad.argmax()]) if bad.any() else None


def _finite(train_steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = np.isfinite(values)
    return train_steps[kept], values[kept]


def _draw_loss(
    axes: Axes,
    train_steps: np.ndarray,
    loss: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    floor: float | None,
) -> None:
    drawn = [_draw_training(axes, *_finite(train_steps, loss))]
    if validation is not None:
        drawn.append(_draw_validation(axes, *validation))
    if style.is_number(floor):
        label = f"best constant guess {style.number(floor)}"
        axes.axhline(floor, color=style.BLACK, linestyle="--", linewidth=1.0, label=label)
        drawn.append(np.array([floor]))
    _scale(axes, np.concatenate(drawn))


def _draw_training(axes: Axes, train_steps: np.ndarray, loss: np.ndarray) -> np.ndarray:
    if loss.size:
        marker = "o" if loss.size == 1 else None  # a line of one point is invisible
        axes.plot(
            *outline(train_steps, loss), marker=marker, color=style.SKY, linewidth=0.7, label="training"
        )
        axes.plot(*running_median(train_steps, loss), color=style.BLUE, label="running median")
    return loss


def _draw_validation(axes: Axes, train_steps: np.ndarray, loss: np.ndarray) -> np.ndarray:
    loss = np.asarray(loss, np.float64)
    if np.shape(train_steps) != loss.shape:
        shapes = f"shapes {np.shape(train_steps)} and {loss.shape}"
        raise ArgumentError("validation", "as many losses as steps", shapes)
    train_steps, loss = _finite(np.asarray(train_steps), loss)
    if loss.size:
        edge: dict[str, Any] = {"markeredgecolor": style.BLACK, "markeredgewidth": 0.5}
        axes.plot(train_steps, loss, "D", color=style.ORANGE, label="validation", **edge)
    return loss


def _scale(axes: Axes, values: np.ndarray) -> None:
    if values.size and values.min() > 0 and values.max() / values.min() >= _SMALLEST_LOG_RATIO:
        style.logarithmic(axes)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=style.ROUND))
    axes.grid(axis="y", color=style.LIGHT_GREY, linewidth=0.5)


def _mark_divergence(rows: np.ndarray, step: int | None) -> None:
    if step is None:
        return
    for axes in rows:
        label = f"diverged at step {step:,}" if axes is rows[0] else None
        axes.axvline(step, color=style.VERMILLION, linestyle=":", linewidth=1.5, label=label)


def _draw_norms(
    axes: Axes, train_steps: np.ndarray, norms: tuple[np.ndarray, np.ndarray], threshold: float | None
) -> None:
    before, after = (_norm(values, train_steps.shape) for values in norms)
    if np.array_equal(before, after, equal_nan=True):
        _draw_norm(axes, train_steps, before, style.BLUE, "never clipped")
    else:
        _draw_norm(axes, train_steps, before, style.SKY, "before clipping")
        _draw_norm(axes, train_steps, after, style.BLUE, "after clipping")
    if style.is_number(threshold):
        label = f"threshold {style.number(threshold)}"
        axes.axhline(threshold, color=style.BLACK, linestyle="--", linewidth=1.0, label=label)
    style.logarithmic(axes)
    axes.set_ylabel("gradient norm")
    style.legend_above(axes, columns=3)


def _norm(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the values with nan in place of those that a logarithmic axis cannot show."""
    values = np.asarray(values, np.float64)
    if values.shape != shape:
        raise ArgumentError("gradient_norms", f"two arrays of shape {shape}", f"shape {values.shape}")
    return np.where(values > 0, values, np.nan)


def _draw_norm(axes: Axes, train_steps: np.ndarray, norm: np.ndarray, colour: str, label: str) -> None:
    axes.plot(*outline(*_finite(train_steps, norm)), color=colour, linewidth=0.7, label=label)
