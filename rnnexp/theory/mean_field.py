"""The mean-field rate: what the gradient does in a wide random layer."""

import itertools
import math
from typing import NamedTuple

from rnnexp.runtime.checks import ArgumentError, integer
from rnnexp.theory.gaussian import Elementwise, gaussian_mean, ln

_GRID = 40  # gains that are a quarter of a factor e apart
_DIVERGED = 1e100  # a variance at which every activation has reached its asymptote


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
    phi: Elementwise,
    slope: Elementwise,
    weight_variance: float,
    input_variance: float,
    time_steps: int = 1000,
) -> MeanField:
    """Predict the growth rate of the back-propagated gradient of a wide random layer.

        q_1 = sigma_in^2,   q_{t+1} = sigma_w^2 E phi(sqrt(q_t) z)^2 + sigma_in^2,   z ~ N(0, 1)
        chi = sigma_w^2 E phi'(sqrt(q_T) z)^2,   rate = 1/2 ln chi      nats per step of lag

    The iteration starts at h_0 = 0 and takes T = `time_steps` steps. Away from criticality q reaches its
    fixed point within tens of steps. If q has no fixed point (relu with sigma_w^2 > 2), it grows beyond every
    scale of phi, and chi is that of phi's asymptotes; for relu and linear chi is the same at any q:
    sigma_w^2 / 2 and sigma_w^2. Without input and with phi(0) = 0, q stays 0, even if that state is unstable.

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
        time_steps: T, the length of the sequence.

    Raises:
        ArgumentError: A variance is negative, or `time_steps` is below 1. A variance of nan gives nan.

    >>> import numpy as np
    >>> mean_field(lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0, 2.0, 0.1).chi
    1.0
    """
    for name, variance in (("weight_variance", weight_variance), ("input_variance", input_variance)):
        if variance < 0:
            raise ArgumentError(name, "a number of at least 0", variance)
    q = float(input_variance)
    for _ in range(integer("time_steps", time_steps, 1) - 1):
        before, q = q, weight_variance * gaussian_mean(lambda a: phi(a) ** 2, q) + input_variance
        if q > _DIVERGED or abs(q - before) <= 1e-14 * q:
            break
    chi = weight_variance * gaussian_mean(lambda a: slope(a) ** 2, min(q, _DIVERGED))
    return MeanField(math.inf if q > _DIVERGED else q, chi, 0.5 * ln(chi))


def critical_gain(
    phi: Elementwise, slope: Elementwise, unit_variance: float, input_variance: float, time_steps: int = 1000
) -> float:
    """Return the gain at which the gradient of a wide random layer neither grows nor vanishes.

        rate(g) = mean_field(phi, slope, g^2 unit_variance, input_variance).rate = 0

    With saturating phi a smaller gain makes larger slopes, so that a growth of exp(rate) a step is not taken
    away by a gain times exp(-rate): the equation is solved. Where several gains between 0.01 and 100 solve
    it, it is the smallest.

    Args:
        phi: The activation.
        slope: Its derivative.
        unit_variance: H Var(W_ij) of the recurrent kernel at gain 1.
        input_variance: As `mean_field`.
        time_steps: T.

    Returns:
        The gain; nan where none is found.

    Raises:
        ArgumentError: As `mean_field`.

    >>> import numpy as np
    >>> round(critical_gain(lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0, 1.0, 0.1), 6)
    1.414214
    """
    from scipy.optimize import brentq  # not above, as no command line should wait for it

    def rate(log_gain: float) -> float:
        variance = math.exp(2 * log_gain) * unit_variance
        return max(mean_field(phi, slope, variance, input_variance, time_steps).rate, -1e9)

    grid = [math.log(0.01) + step * math.log(1e4) / _GRID for step in range(_GRID + 1)]
    for (low, below), (high, above) in itertools.pairwise(zip(grid, map(rate, grid), strict=True)):
        if below <= 0 <= above:
            return math.exp(brentq(rate, low, high, xtol=1e-9))
    return math.nan
