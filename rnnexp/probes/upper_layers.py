"""What is measured of the layers above the lowest: fewer quantities, under the prefix of the layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnexp.probes import catalogue
from rnnexp.probes.gradient import GradientProbe
from rnnexp.probes.jacobian_products import JacobianProbe
from rnnexp.probes.lyapunov import LyapunovProbe
from rnnexp.probes.probe import Probe
from rnnexp.probes.trajectory import Trajectory

PROBES: tuple[Probe[Any], ...] = (GradientProbe(), JacobianProbe(), LyapunovProbe())
"""The probes, all of which every cell has."""

METRICS = (
    *("grad/rate", "grad/rate_low", "grad/rate_high"),
    *("grad/log10_ratio", "grad/log10_ratio_low", "grad/log10_ratio_high"),
    *("jacobian/log10_sigma_max", "lyapunov/lambda_1"),
)
"""Their metrics that are kept: `grad/rate` of layer 2 is `layer_2/grad/rate`."""

ARRAYS = ("log_norm", "log_typical", "rate")
"""Their arrays that are kept: `log_norm` of layer 2 is `layer_2_log_norm`."""

Results = Mapping[str, Any]
"""The results of one layer by the names of the probes."""


def measure_upper(trajectories: Sequence[Trajectory]) -> tuple[Results, ...]:
    """Return the results of the layers above the lowest, from their trajectories, from below."""
    return tuple(catalogue.measure_all(each, PROBES) for each in trajectories)


def metrics(upper: Sequence[Results]) -> dict[str, float]:
    """Return the metrics of the layers, `upper[0]` being layer 2."""
    return {
        f"layer_{number}/{key}": value
        for number, results in enumerate(upper, start=2)
        for key, value in catalogue.metrics(results, PROBES).items()
        if key in METRICS
    }


def arrays(upper: Sequence[Results]) -> dict[str, np.ndarray]:
    """Return the arrays of the layers, `upper[0]` being layer 2."""
    return {
        f"layer_{number}_{name}": array
        for number, results in enumerate(upper, start=2)
        for name, array in catalogue.arrays(results, PROBES).items()
        if name in ARRAYS
    }
