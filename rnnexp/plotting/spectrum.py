"""The eigenvalues of the recurrent matrix before and after training."""

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays

# The axes widen to show the circle of sigma_max up to this multiple of the eigenvalues' range.
_LARGEST_WIDENING = 2.2


def draw(arrays: Arrays, path: str | os.PathLike, title: str = "") -> None:
    """Draw the eigenvalues of W_hh on the complex plane, with the unit circle and the circle of sigma_max.

    rho = max |lambda| stands in the legend. rho <= sigma_max, with equality for normal matrices: the gap
    between the outermost eigenvalue and the dotted circle is room for transient growth.

    Args:
        arrays: `start_eigenvalues` of W_hh, (H,), complex, before training; `start_sigma_max`, its largest
            singular value, nan where it is not known; the same with `end_`, and `end_step`, which is 0 if
            there is no measurement after the first; `gated`, whether W_hh is a block of a larger kernel.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        ArgumentError: Eigenvalues are not a non-empty array of one axis.
    """
    start = style.array("start_eigenvalues", arrays["start_eigenvalues"], 1)
    end = style.array("end_eigenvalues", arrays["end_eigenvalues"], 1) if arrays.measured_later else None
    sigma_max = float(arrays["start_sigma_max" if end is None else "end_sigma_max"])
    title = kernel_title(arrays, title)
    with style.paper_figure(path, (4.6, 4.8), title, "Eigenvalues of the recurrent kernel") as figure:
        axes = figure.add_subplot()
        reach = max(1.0, _radius(start), 0.0 if end is None else _radius(end))
        _draw_eigenvalues(axes, start, "before", color=style.START, markerfacecolor="none", markersize=6.5)
        if end is not None:
            _draw_eigenvalues(axes, end, "after", color=style.END, markeredgewidth=0)
        _draw_circle(axes, 1.0, "unit circle", color=style.GREY, linewidth=1.0)
        reach = _draw_sigma_max(axes, sigma_max, reach)
        _label(axes, reach)


def kernel_title(arrays: Arrays, title: str) -> str:
    """Return the title of a figure of the recurrent kernel; for a gated cell it names the block shown."""
    return f"{title}, block of the candidate" if title and arrays["gated"] else title


def _radius(eigenvalues: np.ndarray) -> float:
    return float(np.abs(eigenvalues).max(initial=0.0, where=np.isfinite(eigenvalues)))


def _draw_eigenvalues(axes: Axes, eigenvalues: np.ndarray, label: str, **look: Any) -> None:
    finite = eigenvalues[np.isfinite(eigenvalues)]
    radius = style.number(_radius(finite), "#.3g")
    name = rf"{label}, $\rho$ = {radius}" if finite.size else f"{label}: not finite"
    axes.plot(finite.real, finite.imag, "o", label=name, **look)


def _draw_sigma_max(axes: Axes, sigma_max: float, reach: float) -> float:
    if not style.is_number(sigma_max):
        return reach
    inside = sigma_max <= _LARGEST_WIDENING * reach
    place = "" if inside else " (outside)"
    label = rf"$\sigma_\mathrm{{max}}$ = {style.number(sigma_max, '#.3g')}{place}"
    _draw_circle(axes, sigma_max, label, color=style.END, linestyle=":")
    return max(reach, sigma_max) if inside else reach


def _draw_circle(axes: Axes, radius: float, label: str, **look: Any) -> None:
    angle = np.linspace(0, 2 * np.pi, 361)
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), label=label, zorder=1, **look)


def _label(axes: Axes, reach: float) -> None:
    axes.set_aspect("equal")
    limits = (-1.08 * reach, 1.08 * reach)
    axes.set(xlim=limits, ylim=limits, xlabel=r"Re $\lambda$", ylabel=r"Im $\lambda$")
    for draw_line, axis in ((axes.axhline, axes.xaxis), (axes.axvline, axes.yaxis)):
        draw_line(0, color=style.LIGHT_GREY, linewidth=0.5, zorder=0)
        axis.set_major_locator(MaxNLocator(nbins=5, steps=style.ROUND))
    style.legend_above(axes, columns=2)
