"""All probes, in the order of their metrics in docs/metrics.md.

`python -m rnnexp.probes.catalogue` prints the rows of that page which list their metrics and arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnexp.probes.gradient import FurtherStatesProbe, GradientProbe
from rnnexp.probes.jacobian_products import JacobianProbe
from rnnexp.probes.lags import LagsProbe
from rnnexp.probes.lyapunov import LyapunovProbe
from rnnexp.probes.probe import Probe
from rnnexp.probes.sensitivity import SensitivityProbe
from rnnexp.probes.spectrum import SpectrumProbe
from rnnexp.probes.states import StatesProbe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.probes.units import UnitsProbe
from rnnexp.runtime.checks import ArgumentError

PROBES: tuple[Probe[Any], ...] = (
    GradientProbe(),
    LagsProbe(),
    JacobianProbe(),
    LyapunovProbe(),
    SpectrumProbe(),
    UnitsProbe(),
    StatesProbe(),
    FurtherStatesProbe(),
    SensitivityProbe(),
)
"""Every probe; each name occurs once."""


def measure_all(trajectory: Trajectory, probes: Sequence[Probe[Any]] = PROBES) -> dict[str, Any]:
    """Return the result of every probe by its name, without probes that do not apply to the cell."""
    results = {probe.name: probe.measure(trajectory) for probe in probes}
    return {name: result for name, result in results.items() if result is not None}


def metrics(results: Mapping[str, Any], probes: Sequence[Probe[Any]] = PROBES) -> dict[str, float]:
    """Return the metrics of the results of `measure_all`."""
    return {
        key: value
        for probe in probes
        if probe.name in results
        for key, value in probe.metrics(results[probe.name]).items()
    }


def arrays(results: Mapping[str, Any], probes: Sequence[Probe[Any]] = PROBES) -> dict[str, np.ndarray]:
    """Return the NumPy arrays of the results of `measure_all`."""
    return {
        name: np.asarray(array)
        for probe in probes
        if probe.name in results
        for name, array in probe.arrays(results[probe.name]).items()
    }


def check_names(key: str, probe: Probe[Any], probes: Sequence[Probe[Any]] = PROBES) -> None:
    """Check that a further probe shares no name, metric or array with another.

    Args:
        key: Its key in the configuration, for the error.
        probe: The further probe.
        probes: The others.

    Raises:
        ArgumentError: It shares one.
    """
    for other in probes:
        shared = [
            *{probe.name} & {other.name},
            *probe.metric_table.keys() & other.metric_table.keys(),
            *probe.array_table.keys() & other.array_table.keys(),
        ]
        if shared:
            raise ArgumentError(key, f"names that the probe {other.name} has not", shared[0])


def metric_rows() -> str:
    """Return the rows of the table of metrics, in Markdown."""
    return "".join(
        _row(f"`{key}`", f"[{metric.meaning}]({probe.page}.md), {metric.unit}", metric.when)
        for probe in PROBES
        for key, metric in probe.metric_table.items()
    )


def array_rows() -> str:
    """Return the rows of the table of arrays, in Markdown."""
    return "".join(
        _row(
            f"`start_{name}` `end_{name}`",
            ", ".join(part for part in (array.meaning, array.shape, array.unit) if part),
            array.when,
        )
        for probe in PROBES
        for name, array in probe.array_table.items()
    )


def _row(*columns: str) -> str:
    cells = (column.replace("|", "\\|") for column in columns)
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n"


if __name__ == "__main__":
    print(metric_rows(), array_rows(), sep="\n", end="")
