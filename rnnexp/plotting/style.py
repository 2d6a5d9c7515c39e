"""The style of all figures, and how they are written to files."""

import contextlib
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rnnexp.runtime.checks import ArgumentError

# Okabe and Ito 2008 (https://jfly.uni-koeln.de/color/): distinguishable with every common colour blindness.
BLACK, GREY, LIGHT_GREY = "#000000", "#767676", "#D0D0D0"
ORANGE, SKY, GREEN, BLUE = "#E69F00", "#56B4E9", "#009E73", "#0072B2"
VERMILLION, PURPLE = "#D55E00", "#CC79A7"

START, END = ORANGE, BLUE

NATS_TO_DECADES = 1 / math.log(10)

DPI = 200
_SCREEN_DPI = 100

MARKERS = 25
"""Most markers on a curve over time steps."""
ROUND = [1, 2, 5, 10]
"""The distance between ticks is one of these times a power of ten."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "font.size": 10.0,
    "axes.labelsize": 10.0,
    "axes.titlesize": 10.0,
    "figure.titlesize": 10.0,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.title_fontsize": 9.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.labelspacing": 0.3,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.2,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.0,
    "image.cmap": "viridis",
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,  # text stays text, in fonts that journals take
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnexp",
}

_WIDE, _NARROW = 2.0, 0.7
"""Decades. Wider axes than `_WIDE` have ticks at powers of ten only, narrower ones than `_NARROW` at even
distances."""
_PLAIN = 3.5
"""An axis within 10^-3.5 and 10^3.5 has plain numbers instead of powers of ten."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# The parser of formulas from the first figure, shared by all: it caches formulas, which take 3 ms each.
_reader_of_formulas: dict[str, Any] = {}

# Without a date, equal arrays give equal bytes.
_METADATA = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


class ShownFigure(Figure):
    """A figure that a notebook shows where it is the last line of a cell, once, without pyplot."""

    def _repr_png_(self) -> bytes:
        with io.BytesIO() as file:
            self.savefig(file, format="png", dpi=_SCREEN_DPI)
            return file.getvalue()


@contextlib.contextmanager
def paper_figure(
    path: str | os.PathLike | None, size: tuple[float, float], title: str = "", heading: str = ""
) -> Iterator[ShownFigure]:
    """Yield an empty figure of `size` (width, height) in inches, and write it to `path`, if any, afterwards.

    `heading` says what is drawn; `title`, on the line below it, names the run. Neither pyplot nor a window
    system is used, and matplotlib's settings are restored.
    """
    with matplotlib.rc_context(STYLE):
        figure = ShownFigure(figsize=size, layout="constrained", dpi=DPI)
        canvas = FigureCanvasAgg(figure)
        if heading or title:
            text = "\n".join(filter(None, [heading, title]))
            figure.suptitle(text, parse_math=False, wrap=True, x=0.01, ha="left")
        yield figure
        if path is None:
            return
        suffix = Path(path).suffix.lower()
        if suffix == ".png":
            _write_png(figure, canvas, path)
        else:
            figure.savefig(path, metadata=_METADATA.get(suffix))


def _write_png(figure: Figure, canvas: FigureCanvasAgg, path: str | os.PathLike) -> None:
    """Write the same pixels as `savefig`, without its additional drawing for the layout."""
    renderer = canvas.get_renderer()
    renderer.mathtext_parser = _reader_of_formulas.setdefault("agg", renderer.mathtext_parser)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    canvas.print_png(path, pil_kwargs={"compress_level": 1})


def legend_above(axes: Axes, columns: int, heading: str = "", **changes: Any) -> Legend:
    """Put the legend above the frame of `axes`, where it covers no data, and return it."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "alignment": "left"}
    return axes.legend(title=heading, ncols=columns, borderpad=0.2, **(place | changes))


def mark_edge(axes: Axes, x: np.ndarray, height: float, marker: str, label: str, colour: str) -> None:
    """Mark values that have no place on the axis at `height`, from 0 (lower edge) to 1 (upper edge)."""
    if x.size:
        shown = x[:: max(1, x.size // MARKERS)]
        heights = np.full(shown.size, height)
        axes.plot(shown, heights, marker, color=colour, transform=axes.get_xaxis_transform(), label=label)


def curve_by_lag(
    axes: Axes, decades: np.ndarray, label: str, colour: str, fill: str, marker: str = "o"
) -> None:
    """Draw logarithms to base 10 by lag; zeros and what is not finite are triangles at the edges of y."""
    lags, finite, zero = np.arange(len(decades)), np.isfinite(decades), np.isneginf(decades)
    look: dict[str, Any] = {"color": colour, "markerfacecolor": fill, "linewidth": 1.2}
    name = label if finite.any() else f"{label}: {'zero' if zero.all() else 'not finite'}"
    every = max(1, len(lags) // MARKERS)
    axes.plot(lags, np.where(finite, decades, np.nan), f"{marker}-", label=name, markevery=every, **look)
    if finite.any():
        mark_edge(axes, lags[zero], 0.02, "v", f"{label}: zero", colour)
        mark_edge(axes, lags[~finite & ~zero], 0.98, "^", f"{label}: not finite", colour)


def curve_axes(axes: Axes) -> None:
    """Leave a little room beside the curves, and draw horizontal grid lines."""
    axes.margins(x=0.02)
    axes.grid(axis="y", color=LIGHT_GREY, linewidth=0.5)


def decade_range(values: np.ndarray, margin: float = 0.0) -> tuple[float, float]:
    """Return limits of logarithms to base 10 that hold every finite value and are a decade apart or more.

    >>> decade_range(np.array([-3.0, 1.0, np.nan]), margin=0.05), decade_range(np.array([np.inf]))
    ((-3.2, 1.2), (-0.5, 0.5))
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    room = max(0.0, 1.0 - (high - low)) / 2 + margin * (high - low)
    return low - room, high + room


def whole_numbers(axis: Axis) -> None:
    """Label `axis` at round whole numbers: at most seven, and one is enough."""
    axis.set_major_locator(MaxNLocator(nbins=6, steps=ROUND, integer=True, min_n_ticks=1))
    axis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))


def training_axis(axes: Axes) -> None:
    """Make x the training step."""
    axes.set_xlabel("training step")
    whole_numbers(axes.xaxis)


def power_ticks(low: float, high: float) -> dict[float, str]:
    """Return ticks between two logarithms to base 10, with the labels of the numbers themselves.

    Whole powers of ten, at most seven; below two decades 2 and 5 times these, below 0.7 round numbers.

    >>> power_ticks(-9.5, 0.2)
    {-8.0: '10⁻⁸', -6.0: '10⁻⁶', -4.0: '10⁻⁴', -2.0: '10⁻²', 0.0: '1'}
    >>> list(power_ticks(-0.8, 0.1).values())
    ['0.2', '0.5', '1']
    """
    if high - low > _NARROW:
        powers = _whole_powers(low, high)
    else:
        lowest = math.floor(low)  # factored out, since 10^low itself may underflow
        numbers = MaxNLocator(nbins=5, steps=ROUND).tick_values(10 ** (low - lowest), 10 ** (high - lowest))
        powers = [lowest + math.log10(number) for number in numbers if number > 0]
    plain = low > -_PLAIN and high < _PLAIN
    return {float(power): _label(power, plain) for power in powers if low <= power <= high}


def _whole_powers(low: float, high: float) -> list[float]:
    """Return whole logarithms, and those of 2 and 5 times these if the span is small."""
    if high - low >= _WIDE:
        return list(MaxNLocator(nbins=6, steps=ROUND, integer=True).tick_values(low, high))
    exponents = range(math.floor(low), math.floor(high) + 1)
    return [exponent + math.log10(digit) for exponent in exponents for digit in (1, 2, 5)]


def _label(power: float, plain: bool) -> str:
    """Return 10^power as text, written out or as a power of ten."""
    exponent = math.floor(power + 1e-9)
    digits = f"{10 ** (power - exponent):.4g}"
    if plain or power == 0:
        return f"{float(digits) * 10.0**exponent:.6g}"
    raised = str(exponent).translate(_RAISED)
    return f"10{raised}" if digits == "1" else f"{digits}·10{raised}"


def power_axis(axes: Axes) -> None:
    """Label y, which shows logarithms to base 10, with the numbers themselves."""
    ticks = power_ticks(*axes.get_ylim())
    axes.set_yticks(list(ticks), list(ticks.values()))


def logarithmic(axes: Axes) -> None:
    """Make y logarithmic, labelled at round numbers."""
    axes.set_yscale("log")
    low, high = np.log10(axes.get_ylim())
    ticks = power_ticks(low, high)
    axes.set_yticks([10**power for power in ticks], list(ticks.values()))
    axes.minorticks_off()


def count(value: float) -> str:
    """Return a whole number as text.

    >>> count(20000), count(2.5e6)
    ('20,000', '2.5M')
    """
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value:,.0f}"


def rate(value: float) -> str:
    """Return a rate in nats per step as text: over 1000 steps, the last digit is a twentieth of a decade.

    >>> rate(-0.0460)
    '−0.0460'
    """
    return number(value, "z.4f")


def number(value: float, form: str = ".4g") -> str:
    """Return `value` as text with a typographic minus sign.

    >>> number(1e-5), number(30.0), number(-0.99, "#.3g")
    ('1e−05', '30', '−0.990')
    """
    return format(value, form).rstrip(".").replace("-", "\N{MINUS SIGN}")


def is_number(value: float | None) -> TypeGuard[float]:
    """Return whether there is a finite value to draw."""
    return value is not None and math.isfinite(value)


def array(name: str, value: object, dimensions: int) -> np.ndarray:
    """Return `value` as a non-empty array of `dimensions` axes, else raise `ArgumentError`."""
    result = np.asarray(value)
    if result.ndim != dimensions or result.size == 0:
        raise ArgumentError(name, f"a non-empty array of {dimensions} axes", f"shape {result.shape}")
    return result


def training_steps(name: str, value: object, length: int) -> np.ndarray:
    """Return `value` as `length` strictly increasing step numbers, else raise `ArgumentError`."""
    train_steps = array(name, value, 1)
    if len(train_steps) != length or np.any(np.diff(train_steps) <= 0):
        raise ArgumentError(name, f"{length} strictly increasing step numbers", f"shape {train_steps.shape}")
    return train_steps


def beside_steps(name: str, value: object, train_steps: np.ndarray) -> np.ndarray:
    """Return `value` as an array of one number for each of the steps, else raise `ArgumentError`."""
    curve = array(name, value, 1)
    if curve.shape != train_steps.shape:
        raise ArgumentError(name, f"an array of shape {train_steps.shape}", f"shape {curve.shape}")
    return curve
