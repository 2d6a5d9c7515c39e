"""Upper bounds on the growth of the gradient in one step, for every kernel and state."""

import math
from typing import NamedTuple

import numpy as np

from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory.gaussian import Elementwise, ln

_DENSE_STEP = 0.005
_DENSE_EDGE = 50.0
_GRID_EDGE = 1e4
_REFINEMENTS = 3
_FINER = 200  # points, an even number: none is in the middle, which may be 0


def slope_bound(slope: Elementwise) -> float:
    """Return gamma = sup_a |phi'(a)| to a relative 1e-6, or inf where |phi'| still grows past |a| = 1e4.

    A grid (step 0.005 up to |a| = 50, geometric from there to 1e4) finds the peak; finer ones between its
    neighbours refine it. No point is 0, where the slope of a broken activation is a convention.

    >>> slope_bound(lambda a: 1 - np.tanh(a) ** 2)
    1.0
    """
    dense = np.arange(_DENSE_STEP / 2, _DENSE_EDGE, _DENSE_STEP)
    right = np.concatenate([dense, np.geomspace(_DENSE_EDGE, _GRID_EDGE, 501)])
    grid = np.concatenate([-right[::-1], right])
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.abs(slope(grid))
        beyond = np.abs(slope(np.array([-_GRID_EDGE, _GRID_EDGE]) * 1e4)).max()
    highest = float(values.max())
    if beyond > highest * (1 + 1e-6) or highest == math.inf:
        return math.inf
    for _ in range(_REFINEMENTS):
        peak = int(values.argmax())
        grid = np.linspace(grid[max(peak - 1, 0)], grid[min(peak + 1, len(grid) - 1)], _FINER)
        values = np.abs(slope(grid))
        highest = max(highest, float(values.max()))
    return highest


def rate_bound(sigma_max: float, slope_bound: float) -> float:
    """Return the largest rate that one step allows, nats per step of lag.

        ||dl/dh_{t-1}|| <= sigma_max gamma ||dl/dh_t||,   rate <= ln(sigma_max gamma)

    Below 0 the gradient must vanish; above 0 it may explode. It holds for every kernel and every state, where
    the loss is scored at the last step. Source: Pascanu, Mikolov and Bengio 2013, section 2.1
    (https://arxiv.org/abs/1211.5063).

    Args:
        sigma_max: Largest singular value of the recurrent kernel.
        slope_bound: gamma = sup |phi'|.

    Raises:
        ArgumentError: An argument is negative. nan gives nan.

    >>> rate_bound(2.0, 0.5)
    0.0
    """
    for name, value in (("sigma_max", sigma_max), ("slope_bound", slope_bound)):
        if value < 0:
            raise ArgumentError(name, "a number of at least 0", value)
    return ln(sigma_max) + ln(slope_bound)


class Conditions(NamedTuple):
    """Which of the two conditions on sigma_max holds; neither does where sigma_max gamma is 1 or nan.

    Attributes:
        vanishing_certain: sigma_max < 1 / gamma, sufficient for vanishing: every gradient must vanish.
        explosion_possible: sigma_max > 1 / gamma, necessary for explosion: some gradient may explode, none
            need do so.
    """

    vanishing_certain: bool
    explosion_possible: bool


def pascanu_conditions(sigma_max: float, slope_bound: float) -> Conditions:
    """Say whether the gradient must vanish, and whether it can explode at all.

        sigma_max < 1 / gamma  =>  ||dh_T/dh_t|| <= (sigma_max gamma)^(T-t) -> 0
        ||dh_T/dh_t|| -> infinity  =>  sigma_max > 1 / gamma

    The two are one inequality read in both directions, so they never hold together, and nothing follows from
    sigma_max > 1 / gamma alone. Source: Pascanu, Mikolov and Bengio 2013, section 2.1
    (https://arxiv.org/abs/1211.5063).

    Args:
        sigma_max: Largest singular value of the recurrent kernel.
        slope_bound: gamma = sup |phi'|.

    Raises:
        ArgumentError: An argument is negative.

    >>> pascanu_conditions(3.9, 0.25)
    Conditions(vanishing_certain=True, explosion_possible=False)
    """
    rate = rate_bound(sigma_max, slope_bound)
    return Conditions(vanishing_certain=rate < 0, explosion_possible=rate > 0)
