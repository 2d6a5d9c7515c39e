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
    """Draw the training loss, its running median, the validation loss and the floor; below the gradient norm.

    The median's window is a fiftieth of the run. For long runs the lowest and highest value of each of 1000
    blocks are drawn, which preserves the curve's outline. Non-finite values are left out, and the step of
    divergence is marked. The loss's axis is logarithmic if all values are positive and span half a decade.

    Args:
        arrays: `steps`, strictly increasing, `loss`, and the global norm of the gradient before and after
            clipping, `global_norm` and `clipped_norm`, (N,) each; `validation_steps` and `validation_loss`
            (M,); `floor_loss`, the loss of the best constant predictor, and `clip_threshold`, nan where there
            is none; `diverged_at`, -1 where it did not; `loss_unit`.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: Shapes do not match, an array is empty, or steps do not increase.
    """
    diverged_at = int(arrays["diverged_at"])
    loss = style.array("loss", arrays["loss"], 1).astype(np.float64)
    train_steps = style.training_steps("steps", arrays["steps"], len(loss))
    with style.paper_figure(path, (4.8, 4.8), title, "Loss and gradient norm over training") as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1])
        _draw_loss(above, train_steps, loss, arrays)
        _mark_divergence(above, below, diverged_at)
        above.set_ylabel(f"loss ({arrays['loss_unit']})")
        style.legend_above(above, columns=2)
        _draw_norms(below, train_steps, arrays)
        style.training_axis(below)
        _show_steps(below, np.concatenate([train_steps, arrays["validation_steps"]]))


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


def _finite(train_steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = np.isfinite(values)
    return train_steps[kept], values[kept]


def _draw_loss(axes: Axes, train_steps: np.ndarray, loss: np.ndarray, arrays: Arrays) -> None:
    _draw_training(axes, *_finite(train_steps, loss))
    validation = _draw_validation(axes, arrays["validation_steps"], arrays["validation_loss"])
    floor = float(arrays["floor_loss"])
    if style.is_number(floor):
        label = f"best constant guess {style.number(floor)}"
        axes.axhline(floor, color=style.BLACK, linestyle="--", linewidth=1.0, label=label)
    drawn = np.concatenate([loss, validation, [floor]])
    _scale(axes, drawn[np.isfinite(drawn)])


def _draw_training(axes: Axes, train_steps: np.ndarray, loss: np.ndarray) -> None:
    if loss.size:
        marker = "o" if loss.size == 1 else None  # a line of one point is invisible
        axes.plot(
            *outline(train_steps, loss), marker=marker, color=style.SKY, linewidth=0.7, label="training"
        )
        axes.plot(*running_median(train_steps, loss), color=style.BLUE, label="running median")


def _draw_validation(axes: Axes, train_steps: np.ndarray, loss: np.ndarray) -> np.ndarray:
    if train_steps.shape != loss.shape:
        shapes = f"shapes {train_steps.shape} and {loss.shape}"
        raise ArgumentError("validation_loss", "as many losses as steps", shapes)
    train_steps, loss = _finite(train_steps, loss)
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


def _mark_divergence(above: Axes, below: Axes, step: int) -> None:
    if step >= 0:
        for axes, label in ((above, f"diverged at step {step:,}"), (below, None)):
            axes.axvline(step, color=style.VERMILLION, linestyle=":", linewidth=1.5, label=label)


def _draw_norms(axes: Axes, train_steps: np.ndarray, arrays: Arrays) -> None:
    before, after = (_norm(name, arrays, train_steps) for name in ("global_norm", "clipped_norm"))
    if np.array_equal(before, after, equal_nan=True):
        _draw_norm(axes, train_steps, before, style.BLUE, "never clipped")
    else:
        _draw_norm(axes, train_steps, before, style.SKY, "before clipping")
        _draw_norm(axes, train_steps, after, style.BLUE, "after clipping")
    threshold = float(arrays["clip_threshold"])
    if style.is_number(threshold):
        label = f"threshold {style.number(threshold)}"
        axes.axhline(threshold, color=style.BLACK, linestyle="--", linewidth=1.0, label=label)
    style.logarithmic(axes)
    axes.set_ylabel("gradient norm")
    style.legend_above(axes, columns=3)


def _norm(name: str, arrays: Arrays, train_steps: np.ndarray) -> np.ndarray:
    """Return the values with nan in place of those that a logarithmic axis cannot show."""
    values = style.beside_steps(name, arrays[name], train_steps)
    return np.where(values > 0, values, np.nan)


def _draw_norm(axes: Axes, train_steps: np.ndarray, norm: np.ndarray, colour: str, label: str) -> None:
    axes.plot(*outline(*_finite(train_steps, norm)), color=colour, linewidth=0.7, label=label)
