"""The sizes of the recurrent kernel over training."""

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays, MissingArray
from rnnexp.plotting.spectrum import kernel_title
from rnnexp.runtime.checks import ArgumentError

_BANDS = ((r"$\sigma_i$, 25-75 %", 25, 75, 0.5), (r"$\sigma_i$, 5-95 %", 5, 95, 0.3))
_FEW = 12
"""Up to this many measurements each has a marker: one between two non-finite ones has no line."""
_LARGEST_RATIO = 30.0
"""Largest ratio of singular values for which the axis is linear."""


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw the sizes of a run's recurrent kernel over training (see `spectrum_history`).

    Raises:
        MissingArray: Its cell has no recurrent kernel.
    """
    if arrays["spectrum_steps"].size == 0:
        raise MissingArray("singular_values")
    spectrum_history(
        path,
        arrays["spectrum_steps"],
        arrays["spectral_radius"],
        arrays["singular_values"],
        arrays["nonnormality"],
        title=kernel_title(arrays, title),
    )


def spectrum_history(
    path: str | os.PathLike,
    train_steps: np.ndarray,
    spectral_radius: np.ndarray,
    singular_values: np.ndarray,
    nonnormality: np.ndarray,
    title: str = "",
) -> None:
    """Draw spectral radius, singular values and non-normality of W_hh against the training step.

    Above: sigma_max, the spectral radius, quantiles of the singular values, and the line 1, at which a linear
    network neither forgets nor explodes. Below: Henrici's departure from normality as a share of ||W_hh||_F.
    Triangles at the upper edge are measurements of weights that are not finite.

    Args:
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        train_steps: Training steps of the measurements, (N,), strictly increasing.
        spectral_radius: max |lambda|, (N,).
        singular_values: (N, H), the largest first.
        nonnormality: From 0 to 1, (N,).
        title: Text over the figure.

    Raises:
        ArgumentError: Shapes do not match, an array is empty, or steps do not increase.
    """
    sigma = style.array("singular_values", singular_values, 2)
    train_steps = style.training_steps("steps", train_steps, len(sigma))
    radius = _curve("spectral_radius", spectral_radius, train_steps)
    nonnormality = _curve("nonnormality", nonnormality, train_steps)
    with style.paper_figure(path, (4.8, 4.8), title, "Size of the recurrent kernel over training") as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.8, 1])
        look: dict[str, Any] = {"marker": "o" if len(train_steps) <= _FEW else ""}
        above.plot(train_steps, sigma[:, 0], color=style.BLUE, label=r"$\sigma_\mathrm{max}$", **look)
        above.plot(train_steps, radius, color=style.VERMILLION, label=r"spectral radius $\rho$", **look)
        _draw_bands(above, train_steps, sigma)
        above.axhline(1.0, color=style.BLACK, linestyle="--", linewidth=1.0, label="1")
        below.plot(train_steps, nonnormality, color=style.PURPLE, **look)
        _mark_lost(above, train_steps[~np.isfinite(sigma).all(axis=1)])
        _label(above, below, sigma)


def _curve(name: str, values: np.ndarray, train_steps: np.ndarray) -> np.ndarray:
    curve = style.array(name, values, 1)
    if curve.shape != train_steps.shape:
        raise ArgumentError(name, f"an array of shape {train_steps.shape}", f"shape {curve.shape}")
    return curve


def _draw_bands(axes: Axes, train_steps: np.ndarray, sigma: np.ndarray) -> None:
    for name, low, high, alpha in _BANDS:
        edges = np.percentile(sigma, [low, high], axis=1)
        axes.fill_between(train_steps, *edges, color=style.SKY, alpha=alpha, linewidth=0, label=name)


def _mark_lost(axes: Axes, train_steps: np.ndarray) -> None:
    """Mark measurements of weights that are not finite at the upper edge."""
    if train_steps.size:
        shown = train_steps[:: max(1, train_steps.size // _FEW)]
        mark: dict[str, Any] = {"color": style.VERMILLION, "transform": axes.get_xaxis_transform()}
        axes.plot(shown, np.full(shown.size, 0.96), "^", label="not finite", **mark)


def _label(above: Axes, below: Axes, sigma: np.ndarray) -> None:
    largest, typical = np.nanmax(sigma, initial=0.0), np.nanmedian(sigma) if np.isfinite(sigma).any() else 0.0
    if typical > 0 and largest / typical > _LARGEST_RATIO:
        above.set_yscale("log")
    else:
        above.set_ylim(bottom=0.0)
        above.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=style.ROUND))
    above.set_ylabel("size of $W_{hh}$")
    below.set_ylim(0, 1.03)
    below.set_yticks([0, 0.5, 1])
    below.set_ylabel("non-normality")
    for axes in (above, below):
        axes.margins(x=0.02)
        axes.grid(axis="y", color=style.LIGHT_GREY, linewidth=0.5)
    _legend(above)
    style.training_axis(below)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=3,
        borderpad=0.2,
        handlelength=1.3,
        handletextpad=0.5,
        columnspacing=1.0,
    )
