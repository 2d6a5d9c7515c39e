"""Lyapunov exponents of a random network that no input drives.

h_t = phi(W^T h_{t-1}), W_ij ~ N(0, g^2 / H).
"""

import math

import numpy as np

from rnnexp.runtime.checks import integer, positive
from rnnexp.theory.gaussian import Elementwise, gaussian_mean, ln
from rnnexp.theory.mean_field import MeanField

_SMALLEST, _LARGEST = 1e-20, 1e20
"""Variances between which a self-consistent state is looked for; outside phi is one with its asymptotes."""


def free_field(phi: Elementwise, slope: Elementwise, weight_variance: float) -> MeanField:
    """Return the stationary mean field of a wide random network without input, and without bias.

        q = g^2 E phi(sqrt(q) z)^2,   chi = g^2 E phi'(sqrt(q) z)^2,   rate = 1/2 ln chi,   z ~ N(0, 1)

    Unlike `rnnexp.theory.mean_field` it does not start at h_0 = 0, which such a network never leaves. q is 0
    where g^2 E phi^2 < q at every q, and the state dies out (tanh with g <= 1); it is inf where g^2 E phi^2
    > q at every q, and the state grows without end (relu with g^2 > 2). chi is then the limit. Where several
    q are self-consistent, it is one of them.

    Sources: Sompolinsky, Crisanti and Sommers 1988 (https://doi.org/10.1103/PhysRevLett.61.259); for
    discrete time Molgedey, Schuchhardt and Schuster 1992 (https://doi.org/10.1103/PhysRevLett.69.3717).

    Args:
        phi: The activation.
        slope: Its derivative.
        weight_variance: g^2 = H Var(W_ij).

    Raises:
        ArgumentError: `weight_variance` is not a finite number above 0.
    """
    from scipy.optimize import brentq  # not above, as no command line should wait for it

    weight_variance = positive("weight_variance", weight_variance)

    def log_ratio(log_q: float) -> float:
        return ln(weight_variance * gaussian_mean(lambda a: phi(a) ** 2, math.exp(log_q))) - log_q

    low, high = math.log(_SMALLEST), math.log(_LARGEST)
    if log_ratio(low) <= 0:
        q, scale = 0.0, _SMALLEST
    elif log_ratio(high) >= 0:
        q, scale = math.inf, _LARGEST
    else:
        q = scale = math.exp(brentq(log_ratio, low, high, xtol=1e-13))
    chi = weight_variance * gaussian_mean(lambda a: slope(a) ** 2, scale)
    return MeanField(q, chi, 0.5 * ln(chi))


def chaotic_exponent(gain: float, phi: Elementwise, slope: Elementwise) -> float:
    """Return the largest Lyapunov exponent of a large random network without input, nats per step.

        lambda_1 = ln(g sqrt(<phi'^2>)),   <phi'^2> over the self-consistent state of `free_field`

    Above 0 the network is chaotic: for tanh where g > 1. Where the state dies out (g < 1) it is
    ln(g phi'(0)). It is the limit of large H. Sources: Clark 2026 (https://arxiv.org/abs/2610.12426) for
    x' = (1-d) x + d J phi(x), of which this is d = 1, and Molgedey, Schuchhardt and Schuster 1992
    (https://doi.org/10.1103/PhysRevLett.69.3717).

    Args:
        gain: g = sqrt(H Var(W_ij)).
        phi: The activation.
        slope: Its derivative.

    Raises:
        ArgumentError: `gain` is not a finite number above 0.

    >>> round(chaotic_exponent(0.5, np.tanh, lambda a: np.cosh(a) ** -2.0) / math.log(0.5), 6)
    1.0
    """
    return free_field(phi, slope, positive("gain", gain) ** 2).rate


def subcritical_exponents(gain: float, units: int) -> np.ndarray:
    """Return the Lyapunov spectrum of a random network whose state dies out, (H,), nats per step.

        lambda_i = ln g + 1/2 ln q_i,   q_i = (H - i + 1/2) / H,   i = 1 ... H

    q is the share of the exponents *below* lambda_i: it is 1 at the largest exponent, ln g, and 0 at the
    smallest. At h = 0 every Jacobian is phi'(0) W^T, so the exponents are the ln |eigenvalues| of phi'(0) W,
    which fill a disk evenly (the circular law): a share q of them has a modulus below g sqrt(q). Here
    phi'(0) = 1; for another slope at 0 put g phi'(0) in place of g.

    It is the limit of large H, least accurate at both ends. Source: Clark 2026
    (https://arxiv.org/abs/2610.12426); the same law holds for products of independent Gaussian matrices
    (Newman 1986, Communications in Mathematical Physics 103, 121-126).

    Args:
        gain: g = sqrt(H Var(W_ij)), below 1.
        units: H.

    Raises:
        ArgumentError: `gain` is not a finite number above 0, or `units` is below 1.

    >>> subcritical_exponents(0.5, 4).round(3)
    array([-0.76 , -0.928, -1.184, -1.733])
    """
    units = integer("units", units, 1)
    shares = (np.arange(units, 0, -1) - 0.5) / units
    return math.log(positive("gain", gain)) + 0.5 * np.log(shares)
