"""A forecast beside the truth, and the loss by how much of the past is visible."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from rnnexp.plotting import style
from rnnexp.plotting.arrays import Arrays

_OTHERS = {"autoregression": style.ORANGE, "seasonal": style.GREEN, "last_value": style.GREY}


def draw(arrays: Arrays, path: Path, title: str) -> None:
    """Draw the forecasts of a held-out part with its truth, and below the loss by visible steps.

    Args:
        arrays: `place` (n, h), the steps that were forecast; `truth`, `network` and, if they exist,
            `autoregression`, `seasonal` and `last_value`, (n, h); `visible_steps` and `visible_loss` (K,).
            The last of the h steps ahead is drawn.
        path: The file; its suffix decides the format (.png, .pdf, .svg).
        title: Text over the figure.

    Raises:
        MissingArray: An array is not there.
    """
    with style.paper_figure(path, (6.4, 4.6), title) as figure:
        above, below = figure.subplots(2, 1, height_ratios=[1.6, 1])
        _draw_forecasts(above, arrays)
        _draw_visible(below, arrays["visible_steps"], arrays["visible_loss"])


def _draw_forecasts(axes: Axes, arrays: Arrays) -> None:
    place, ahead = arrays["place"][:, -1], arrays["place"].shape[1]
    for name, colour in _OTHERS.items():
        if name in arrays:
            axes.plot(place, arrays[name][:, -1], color=colour, linewidth=0.9, label=name.replace("_", " "))
    axes.plot(place, arrays["network"][:, -1], color=style.BLUE, label="network")
    axes.plot(place, arrays["truth"][:, -1], color=style.BLACK, linestyle="--", label="truth")
    axes.set_ylabel("value")
    axes.set_xlabel(f"place in the series; forecast {ahead} step{'s' if ahead > 1 else ''} ahead")
    style.whole_numbers(axes.xaxis)
    style.legend_above(axes, columns=5)


def _draw_visible(axes: Axes, time_steps: np.ndarray, losses: np.ndarray) -> None:
    axes.axhline(losses[-1], color=style.BLACK, linestyle="--", linewidth=1.0)
    axes.plot(time_steps, losses, "o-", color=style.BLUE)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("visible steps: all before repeat the first of them")
    axes.set_ylabel("squared error")
    style.whole_numbers(axes.xaxis)
