"""Linear recurrences: sensitivity of a memory to its decay, growth at finite width, reach of convolutions."""

import math
from typing import NamedTuple

import numpy as np

from rnnexp.runtime.checks import ArgumentError, integer


class Sensitivity(NamedTuple):
    """Stationary variances of one linear unit.

    Attributes:
        state: E h^2.
        gradient: E (dh/dlambda)^2.
    """

    state: float
    gradient: float


def sensitivity(decay: float) -> Sensitivity:
    """Return how much the state of a linear unit varies, and how much it varies with its decay.

        h_t = lambda h_{t-1} + x_t,   E x_t = 0,   E x_s x_t = [s = t]
        E h^2 = sum_k lambda^2k = 1 / (1 - lambda^2)
        E (dh/dlambda)^2 = sum_k k^2 lambda^(2k-2) = (1 + lambda^2) / (1 - lambda^2)^3

    With a memory of 1 / (1 - lambda) steps the first grows as the memory, the second as its cube: gradients
    need not explode for learning to become hard. Source: Zucchet and Orvieto 2024
    (https://arxiv.org/abs/2405.21064).

    Args:
        decay: lambda, real, in (-1, 1).

    Raises:
        ArgumentError: `decay` is outside (-1, 1).

    >>> sensitivity(0.5)
    Sensitivity(state=1.3333333333333333, gradient=2.962962962962963)
    """
    if not -1 < decay < 1:
        raise ArgumentError("decay", "a number in (-1, 1)", decay)
    forgotten = (1 - decay) * (1 + decay)
    return Sensitivity(1 / forgotten, (1 + decay**2) / forgotten**3)


def glorot_time_scale(units: int) -> float:
    """Return sqrt(H), the length at which a linear recurrence of variance 1 / H stops being stable.

    Glorot's kernel of a recurrent layer has Var(W_ij) = 1 / H. The infinitely wide layer keeps the norm of
    the state at every length; at width H, "sequences of length t = O(sqrt(H)) are sufficient to induce
    instability" (Bar et al. 2025, https://arxiv.org/abs/2505.19827, abstract): eigenvalues a little outside
    the unit circle, amplified through time. The constant of the law is 1 here by choice: at t = sqrt(H) the
    mean growth of `glorot_growth` is 1.04, at 3 sqrt(H) it is 10.

    Args:
        units: H.

    Raises:
        ArgumentError: `units` is below 1.

    >>> glorot_time_scale(64)
    8.0
    """
    return math.sqrt(integer("units", units, 1))


def glorot_growth(time_steps: int, units: int) -> float:
    """Return the mean growth of a vector in a linear recurrence of finite width, without input.

        E ||W^t v||^2 / ||v||^2 = (H^(t+2, rising) - H^(t+2, falling)) / ((t+1) (t+2) H^(t+1))
                                -> sinh(c^2 / 2) / (c^2 / 2)   as H grows at t = c sqrt(H)

    for complex Gaussian entries, E |W_ij|^2 = 1 / H; a rising power is H (H+1) ..., a falling one H (H-1) ...
    It is exact at every t and H: by Wick's theorem the mean is a sum over the pairings of W with its
    conjugate, which counts the cycles of the product of two (t+1)-cycles (Zagier 1995, Nieuw
    Archief voor Wiskunde 13, 489-495). The infinite width gives 1, up to t of the order of sqrt(H):
    Seleznova 2026 (https://arxiv.org/abs/2605.05113).

    For real entries it is exact at t = 1 and of the same scale in t, but the mean is larger, through rare
    kernels with a large real eigenvalue: simulated at H = 64 and t = 8, 12, 16, 1.09, 1.44, 2.8 (0.3) against
    1.05, 1.26, 1.87. The median over kernels grows later: 1.02, 1.10, 1.27 for real entries.

    Args:
        time_steps: t.
        units: H.

    Raises:
        ArgumentError: `time_steps` is below 0 or `units` below 1.

    >>> round(glorot_growth(1, 8), 12), round(glorot_growth(2, 2), 12)
    (1.0, 1.25)
    """
    time_steps, units = integer("time_steps", time_steps, 0), integer("units", units, 1)
    ratios = np.arange(time_steps + 2) / units
    # Both powers over H^(t+2), by their logarithms: their difference is far below either where t^2 << H.
    with np.errstate(divide="ignore", over="ignore"):
        rising, falling = np.log1p(ratios).sum(), np.log1p(-np.minimum(ratios, 1)).sum()
        difference = -np.exp(rising) * np.expm1(falling - rising)
    return float(units * difference / ((time_steps + 1) * (time_steps + 2)))


def effective_width(time_steps: int, size: int) -> float:
    """Return the standard deviation, in pixels, of the effective receptive field along one side of an image.

        sigma = sqrt(n (K^2 - 1) / 12)

    The gradient of a pixel of h_T by an image n convolutions before is a sum over all paths of n taps. With
    independent random taps of equal variance its mean square at a distance is the share of the paths that end
    there: n steps of a walk, each uniform over the K places of a row. Its reach, n (K - 1) / 2, grows as n
    and its width as sqrt(n) only (Luo et al. 2016, https://arxiv.org/abs/1701.04128).

    Args:
        time_steps: n, convolutions in a row, at least 1.
        size: K, taps along each side, odd.
    """
    n, taps = integer("time_steps", time_steps, 1), integer("size", size, 1)
    return math.sqrt(n * (taps**2 - 1) / 12)
