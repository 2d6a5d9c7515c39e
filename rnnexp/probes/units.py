"""How many hidden units pass a gradient on at all."""

import dataclasses

import numpy as np

from rnnexp.checks import ArgumentError

SATURATION = 0.01
"""A unit with |phi'| under this passes less than a hundredth of its gradient on."""


@dataclasses.dataclass(frozen=True)
class Units:
    """Shares of hidden units, each in [0, 1]; nan where a slope was not finite.

    Attributes:
        saturated: Share of units with |phi'| < 0.01 at a typical step: the mean over steps and samples.
        dead: Share of units whose phi' is exactly 0 at every step of every sample.
    """

    saturated: float
    dead: float


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
    slopes = np.asarray(slopes)
    if slopes.ndim != 3 or slopes.size == 0:
        raise ArgumentError("slopes", "a non-empty array (T, B, H)", slopes.shape)
    if not np.isfinite(slopes).all():
        return Units(saturated=np.nan, dead=np.nan)
    return Units(
        saturated=float(np.mean(np.abs(slopes) < SATURATION)),
        dead=float(np.mean(np.all(slopes == 0, axis=(0, 1)))),
    )
