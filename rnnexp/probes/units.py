"""Shares of saturated and dead hidden units, which pass hardly any gradient on."""

import dataclasses
from typing import ClassVar

import numpy as np

from rnnexp.probes.probe import Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.arrays import filled

_WHEN = "a cell that tells its slopes"

SATURATION = 0.01
"""A unit with |phi'| below this passes on less than a hundredth of its gradient."""


@dataclasses.dataclass(frozen=True)
class Units:
    """Shares of hidden units, each in [0, 1]; nan where a slope was not finite.

    Attributes:
        saturated: Share of units with |phi'| < 0.01 at a typical step: the mean over steps and samples.
        dead: Share of units whose phi' is exactly 0 at every step of every sample.
    """

    saturated: float
    dead: float


class UnitsProbe(Probe[Units]):
    """Saturated and dead units. For a gated cell saturated gates, and nan for dead, which has no meaning."""

    name = "units"
    page = "states"
    metric_table: ClassVar = {
        "state/saturated": Metric(
            "units with |phi'| < 0.01 at a typical step; of a gated cell, of its gates",
            "share",
            _WHEN,
        ),
        "state/dead": Metric("units with phi' = 0 throughout", "share", "`cell=elman`"),
    }

    def measure(self, trajectory: Trajectory) -> Units | None:
        """Return the shares; None for a cell that does not report its slopes."""
        if trajectory.units is None:
            return None
        units = measure_units(trajectory.units.slopes)
        # If the state is not phi(a) alone, as in a leaky cell, a unit with slope 0 still passes gradient on.
        return units if trajectory.factored is not None else dataclasses.replace(units, dead=np.nan)


def measure_units(slopes: np.ndarray) -> Units:
    """Count saturated and dead units.

        saturated = mean_{t,b,i} [|phi'(a_t)_{b,i}| < 0.01]
        dead = mean_i [phi'(a_t)_{b,i} = 0 for all t, b]

    A relu unit counts as saturated wherever it is off: about half of the units of a healthy relu network.

    Args:
        slopes: phi'(a_t), the slopes of the activation, (T, B, H).

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty.

    >>> measure_units(np.array([[[1.0, 0.005, 0.0, 0.0]], [[1.0, 0.5, 0.0, 0.5]]]))
    Units(saturated=0.5, dead=0.25)
    """
    slopes = filled("slopes", slopes, "T, B, H")
    if not np.isfinite(slopes).all():
        return Units(saturated=np.nan, dead=np.nan)
    return Units(
        saturated=float(np.mean(np.abs(slopes) < SATURATION)),
        dead=float(np.mean(np.all(slopes == 0, axis=(0, 1)))),
    )
