"""What mathematics predicts of the gradient: the mean-field rate, and the bound of one step."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize

from rnnexp.checks import ArgumentError, integer

Elementwise = Callable[[np.ndarray], np.ndarray]
"""A function of a float64 array that acts on every entry alone: phi, or its slope phi'."""

_FARTHEST = 16.0  # standard deviations: what lies beyond weighs e^-128
_NEAREST = 1e-9  # standard deviations: the innermost panel
_PANELS = 240
_NODES = 16
_DIVERGED = 1e100  # a variance at which every activation has reached its asymptote
_DENSE_STEP = 0.005
_DENSE_EDGE = 50.0
_GRID_EDGE = 1e4


class MeanField(NamedTuple):
    """Mean-field prediction for one recurrent layer.

    Attributes:
        q: Variance of the pre-activation a_T; inf where it grew past 1e100.
        chi: Factor of the mean squared gradient in one step back.
        rate: ln(chi) / 2, nats per step of lag; -inf where chi = 0.
    """

    q: float
    chi: float
    rate: float


def mean_field(
    phi: Elementwise, slope: Elementwise, weight_variance: float, input_variance: float, steps: int = 1000
) -> MeanField:
    """Predict the growth rate of the back-propagated gradient of a wide random layer.

        q_1 = sigma_in^2,   q_{t+1} = sigma_w^2 E phi(sqrt(q_t) z)^2 + sigma_in^2,   z ~ N(0, 1)
        chi = sigma_w^2 E phi'(sqrt(q_T) z)^2,   rate = 1/2 ln chi      nats per step of lag

    The state starts at h_0 = 0, and a_T is what T = `steps` steps make of it: the fixed point of q where the
    iteration has settled by then, which it does in tens of steps away from criticality. Where q has no fixed
    point (relu with sigma_w^2 > 2) it leaves every scale of phi behind and chi is that of phi's asymptotes,
    which for relu and linear is chi at any q: sigma_w^2 / 2 and sigma_w^2. With neither input nor phi(0), q
    stays 0, as h_t does, even where that state is unstable.

    Assumptions: H is large; the recurrent weights are independent with mean 0 and variance sigma_w^2 / H,
    and are independent of the states and of the gradient that pass through them, at every step anew. So it
    does not hold for a multiple of the identity (each unit is alone there: ln gain + mean ln |phi'|), nor
    for trained weights; an orthogonal kernel keeps chi, as its entries' variance is gain^2 / H.

    Sources: Poole et al. 2016 (https://arxiv.org/abs/1606.05340), Schoenholz et al. 2017
    (https://arxiv.org/abs/1611.01232); for recurrent layers Chen, Pennington and Schoenholz 2018
    (https://arxiv.org/abs/1806.05394).

    Args:
        phi: The activation.
        slope: Its derivative.
        weight_variance: sigma_w^2 = H Var(W_ij) of the recurrent kernel.
        input_variance: sigma_in^2, mean square over units, steps and samples of W_xh^T x_t + b.
        steps: T, the length of the sequence.

    Raises:
        ArgumentError: A variance is negative, or `steps` is below 1. A variance of nan gives nan.

    >>> mean_field(lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0, 2.0, 0.1).chi
    1.0
    """
    for name, variance in (("weight_variance", weight_variance), ("input_variance", input_variance)):
        if variance < 0:
            raise ArgumentError(name, "a number of at least 0", variance)
    q = float(input_variance)
    for _ in range(integer("steps", steps, 1) - 1):
        before, q = q, weight_variance * gaussian_mean(lambda a: phi(a) ** 2, q) + input_variance
        if q > _DIVERGED or abs(q - before) <= 1e-14 * q:
            break
    chi = weight_variance * gaussian_mean(lambda a: slope(a) ** 2, min(q, _DIVERGED))
    return MeanField(math.inf if q > _DIVERGED else q, chi, 0.5 * _ln(chi))


def gaussian_mean(function: Elementwise, variance: float) -> float:
    """Return E f(sqrt(variance) z), z ~ N(0, 1), by Gauss-Legendre panels that narrow towards z = 0.

    Relative accuracy for a function of at most polynomial growth and a variance of at most 1e8: 1e-12 where
    it is smooth or breaks at 0 only (relu, elu), as no panel is wide against its distance from 0; 5e-3 where
    it jumps elsewhere (the slope of a hard sigmoid).

    >>> round(gaussian_mean(np.square, 4.0), 12)
    4.0
    """
    nodes, weights = _panels()
    scaled = math.sqrt(variance) * nodes
    with np.errstate(over="ignore", invalid="ignore"):
        return float(weights @ (function(scaled) + function(-scaled)))


@functools.cache
def _panels() -> tuple[np.ndarray, np.ndarray]:
    """Nodes z > 0 and weights w: sum_i w_i (f(z_i) + f(-z_i)) is E f(z)."""
    edges = np.concatenate([[0.0], np.geomspace(_NEAREST, _FARTHEST, _PANELS + 1)])
    half = np.diff(edges)[:, None] / 2
    points, shares = np.polynomial.legendre.leggauss(_NODES)
    nodes = edges[:-1, None] + half * (1 + points)
    weights = half * shares * np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi)
    return nodes.ravel(), weights.ravel()


def slope_bound(slope: Elementwise) -> float:
    """Return gamma = sup_a |phi'(a)| to a relative 1e-6, or inf where |phi'| still grows past |a| = 1e4.

    A grid (step 0.005 up to |a| = 50, geometric from there to 1e4) finds the peak; a bounded search on both
    sides of it refines it. No point is 0, where the slope of a broken activation is a convention.

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
    peak = int(values.argmax())
    around = [(grid[i], grid[i + 1]) for i in (peak - 1, peak) if 0 <= i < len(grid) - 1]
    return max(highest, *(_highest_between(slope, *edges) for edges in around))


def _highest_between(slope: Elementwise, low: float, high: float) -> float:
    def depth(a: float) -> float:
        return -abs(float(slope(np.array([a]))[0]))

    found = optimize.minimize_scalar(depth, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    return -float(found.fun)


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
    return _ln(sigma_max) + _ln(slope_bound)


def _ln(value: float) -> float:
    return math.log(value) if value != 0 else -math.inf
