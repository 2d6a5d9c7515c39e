"""Series by name: real ones that ship with statsmodels, and one that is made."""

import importlib.util
from pathlib import Path

import numpy as np

from rnnexp.tasks.csv_column import read_column


def sunspots() -> np.ndarray:
    """Return the yearly number of sunspots, 1700 to 2008, (309,)."""
    return read_column(_shipped("sunspots"), "SUNACTIVITY")


def co2() -> np.ndarray:
    """Return the weekly CO2 above Mauna Loa in parts per million, March 1958 to December 2001, (2284,).

    59 weeks without a measurement are filled in, on the line between their neighbours.
    """
    lines = _shipped("co2").read_text(encoding="utf-8").split()[1:]
    values = np.array([float(line.partition(",")[2] or "nan") for line in lines])
    weeks, known = np.arange(len(values)), np.isfinite(values)
    return np.interp(weeks, weeks[known], values[known])


def mackey_glass(length: int = 3000, delay: float = 17.0, substeps: int = 10) -> np.ndarray:
    """Return a chaotic series of Mackey and Glass 1977 (https://doi.org/10.1126/science.267326), (length,).

        dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t),    x = 1.2 for t <= 0

    by the Runge-Kutta method of fourth order, one value per unit of time after the first 500.

    Args:
        length: Values.
        delay: In units of time.
        substeps: Steps of the method per unit of time; `delay` is a whole number of them.
    """
    step, back = 1 / substeps, round(delay * substeps)
    x = [1.2] * (back + 1)
    for _ in range((length + 500) * substeps):
        x.append(_runge_kutta(x[-1], x[-back - 1], x[-back], step))
    return np.array(x[back + 500 * substeps :: substeps][:length])


def _runge_kutta(x: float, start: float, end: float, step: float) -> float:
    """Return x one step on; its delayed value goes from `start` to `end` in the meantime."""
    first, middle, last = (0.2 * past / (1 + past**10) for past in (start, (start + end) / 2, end))
    one = first - 0.1 * x
    two = middle - 0.1 * (x + step / 2 * one)
    three = middle - 0.1 * (x + step / 2 * two)
    four = last - 0.1 * (x + step * three)
    return x + step / 6 * (one + 2 * two + 2 * three + four)


def _shipped(name: str) -> Path:
    """Return a file of statsmodels, which is found without importing it: that takes a second."""
    package = importlib.util.find_spec("statsmodels")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("statsmodels, whose series this is, is not installed")
    return Path(package.origin).parent / "datasets" / name / f"{name}.csv"


SERIES = {"sunspots": sunspots, "co2": co2, "mackey_glass": mackey_glass}
"""Every series by its name in the configuration."""
