"""The sizes of the recurrent kernel over training."""

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays, MissingArray
from rnnexp.plotting.spectrum import kernel_title

_BANDS = ((r"$\sigma_i$, 25-75 %", 25, 75, 0.5), (r"$\sigma_i$, 5-95 %", 5, 95, 0.3))
_FEW = 12
"""Up to this many measurements each has a marker: one between two non-finite ones has no line."""
_LARGEST_RATIO = 30.0
"""Largest ratio of singular values for which the axis is linear."""


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw spectral radius, singular values and non-normality of W_hh against the training step.

    Above: sigma_max, the spectral radius, quantiles of the singular values, and the line 1, at which a linear
    network neither forgets nor explodes. Below: Henrici's departure from normality as a share of ||W_hh||_F.
    Triangles at the upper edge are measurements of weights that are not finite.

    Args:
        arrays: `spectrum_steps`, the training steps of the measurements, strictly increasing,
            `spectral_radius`, max |lambda|, and `nonnormality`, from 0 to 1, (N,) each; `singular_values`
            (N, H), the largest first; `gated`, whether W_hh is a block of a larger kernel.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: Shapes do not match, an array is empty, or steps do not increase.
        MissingArray: The cell has no recurrent kernel.
    """
    if arrays["spectrum_steps"].size == 0:
        raise MissingArray("singular_values")
    title = kernel_title(arrays, title)
    sigma = style.array("singular_values", arrays["singular_values"], 2)
    train_steps = style.training_steps("spectrum_steps", arrays["spectrum_steps"], len(sigma))
    radius, nonnormality = (
        style.beside_steps(name, arrays[name], train_steps) for name in ("spectral_radius", "nonnormality")
    )
    with style.paper_figure(path, (4.8, 4.8), title, "Size of the recurrent kernel over training") as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.8, 1])
        look: dict[str, Any] = {"marker": "o" if len(train_steps) <= _FEW else ""}
        above.plot(train_steps, sigma[:, 0], color=style.BLUE, label=r"$\sigma_\mathrm{max}$", **look)
        above.plot(train_steps, radius, color=style.VERMILLION, label=r"spectral radius $\rho$", **look)
        _draw_bands(above, train_steps, sigma)
        above.axhline(1.0, color=style.BLACK, linestyle="--", linewidth=1.0, label="1")
        below.plot(train_steps, nonnormality, color=style.PURPLE, **look)
        lost = train_steps[~np.isfinite(sigma).all(axis=1)]
        style.mark_edge(above, lost, 0.96, "^", "not finite", style.VERMILLION)
        _label(above, below, sigma)


def _draw_bands(axes: Axes, train_steps: np.ndarray, sigma: np.ndarray) -> None:
    for name, low, high, alpha in _BANDS:
        edges = np.percentile(sigma, [low, high], axis=1)
        axes.fill_between(train_steps, *edges, color=style.SKY, alpha=alpha, linewidth=0, label=name)


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
        style.curve_axes(axes)
    style.legend_above(above, columns=3, handlelength=1.3, handletextpad=0.5, columnspacing=1.0)
    style.training_axis(below)
