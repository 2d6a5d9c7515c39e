"""Mean-field theory with one assumption after the other replaced by what was measured of the states.

    mean_field             q from the variances of weights and inputs, a ~ N(0, q), W independent of the rest
    rate_at_variance       q measured,                                 a ~ N(0, q), W independent of the rest
    rate_of_slopes         phi'(a) measured,                                        W independent of the rest
    the measured rate      nothing assumed

So the three differences between neighbours add up to that between theory and measurement, and each is the
cost of one assumption: that theory knows the variance of the pre-activations; that they are Gaussian, and in
every sample alike; that the gradient lies in no direction that W_hh and the slopes pass on better, or worse,
than the average one.

A finite layer departs from the last assumption even where it is untrained: in a product of Gaussian kernels a
step back multiplies ||dl/dh||^2 by sigma_w^2 chi-squared_H / H, whose mean logarithm lowers the rate by
1 / (2 H) (Newman 1986, Communications in Mathematical Physics 103, 121-126), and one kernel departs from the
mean over kernels by as much and more. No interval over samples contains either.
"""

import numpy as np

from rnnexp.runtime.arrays import filled
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory.gaussian import Elementwise, gaussian_means
from rnnexp.theory.lags import rms_rate

_DIVERGED = 1e100  # a variance at which every activation has reached its asymptote


def rate_at_variance(slope: Elementwise, weight_variance: float, variances: np.ndarray) -> float:
    """Return the mean-field rate at the measured variances of the pre-activations, nats per step of lag.

        g_t = 1/2 ln(sigma_w^2 E phi'(sqrt(q_t) z)^2),   z ~ N(0, 1),   q_t = mean_{b,i} (a_t)_{b,i}^2

    averaged over the lags as `fitted_rate` does. It keeps two assumptions of `rnnexp.theory.mean_field`: the
    pre-activations are Gaussian with mean 0, and weights, states and gradients are independent. For relu and
    linear, whose chi is the same at every q, it is the mean-field rate.

    Sources: Poole et al. 2016 (https://arxiv.org/abs/1606.05340), Schoenholz et al. 2017
    (https://arxiv.org/abs/1611.01232).

    Args:
        slope: phi'.
        weight_variance: sigma_w^2 = sum_ij W_ij^2 / H of the recurrent kernel.
        variances: q_1 ... q_T, (T,).

    Returns:
        The rate; nan at T = 1, and where a variance or `weight_variance` is nan.

    Raises:
        ArgumentError: `variances` is not (T,) or has a negative entry, or `weight_variance` is negative.

    >>> round(rate_at_variance(lambda a: (a > 0) * 1.0, 1.0, np.ones(10)), 4)  # ln(1/2) / 2
    -0.3466
    """
    variances = np.asarray(variances, dtype=np.float64)
    if variances.ndim != 1:
        raise ArgumentError("variances", "an array (T,)", variances.shape)
    if np.any(variances < 0):
        raise ArgumentError("variances", "numbers of at least 0", float(np.nanmin(variances)))
    # a_1 is left out: no gradient passes from h_1 to h_0.
    passed = np.minimum(variances[1:], _DIVERGED)
    log_gains = _log_gains(weight_variance, gaussian_means(lambda a: np.square(slope(a)), passed))
    return rms_rate(log_gains)


def rate_of_slopes(weight_variance: float, slopes: np.ndarray) -> float:
    """Return the rate that the measured slopes make, nats per step of lag.

        p_k = 1/2 ln mean_b prod_{t>T-k} sigma_w^2 mean_i phi'(a_t)_{b,i}^2

    fitted over the lags k as the measured rate is, which is of the root mean square over samples too. Nothing
    is assumed of the distribution of the pre-activations; what is left is the independence of weights, slopes
    and gradient, ||W_hh diag(phi') v||^2 = sigma_w^2 mean(phi'^2) ||v||^2 at every step.

    Sources: Schoenholz et al. 2017 (https://arxiv.org/abs/1611.01232); for recurrent layers Chen, Pennington
    and Schoenholz 2018 (https://arxiv.org/abs/1806.05394).

    Args:
        weight_variance: sigma_w^2 = sum_ij W_ij^2 / H of the recurrent kernel.
        slopes: phi'(a_1) ... phi'(a_T), (T, B, H).

    Returns:
        The rate over the lags that a slope lets through; nan where fewer than two are left, or where a slope
        is nan.

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty, or `weight_variance` is negative.

    >>> round(rate_of_slopes(4.0, np.full((10, 1, 2), 0.5)), 6)
    0.0
    """
    slopes = filled("slopes", slopes, "T, B, H")
    log_gains = _log_gains(weight_variance, np.mean(np.square(slopes[1:]), axis=2))
    return rms_rate(log_gains)


def exponent_of_slopes(weight_variance: float, slopes: np.ndarray) -> float:
    """Return the largest Lyapunov exponent that the measured slopes make, nats per step.

        lambda_1 = mean_{b,t} 1/2 ln(sigma_w^2 mean_i phi'(a_t)_{b,i}^2)

    which is ln(g sqrt<phi'^2>) where the mean square slope is the same at every step. The theory is that of a
    large random network: nearby states part at this rate, whether an input drives it or not. A sample whose
    slopes are all 0 at a step is left out, as the measured exponent leaves it out.

    Sources: Sompolinsky, Crisanti and Sommers 1988 (https://doi.org/10.1103/PhysRevLett.61.259); for discrete
    time Molgedey, Schuchhardt and Schuster 1992 (https://doi.org/10.1103/PhysRevLett.69.3717); Clark 2026
    (https://arxiv.org/abs/2610.12426).

    Args:
        weight_variance: sigma_w^2 = g^2 = sum_ij W_ij^2 / H of the recurrent kernel.
        slopes: phi'(a_t) of the steps over which the measured exponent is averaged, (T, B, H).

    Returns:
        The exponent; -inf where no sample is left, nan where a slope is nan.

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty, or `weight_variance` is negative.

    >>> round(exponent_of_slopes(4.0, np.full((10, 1, 2), 0.5)), 6)
    0.0
    """
    slopes = filled("slopes", slopes, "T, B, H")
    of_samples = _log_gains(weight_variance, np.mean(np.square(slopes), axis=2)).mean(axis=0)
    alive = of_samples[~np.isneginf(of_samples)]
    return float(alive.mean()) if alive.size else -np.inf


def _log_gains(weight_variance: float, mean_squares: np.ndarray) -> np.ndarray:
    """1/2 ln(sigma_w^2 mean phi'^2); -inf where that is 0."""
    if weight_variance < 0:
        raise ArgumentError("weight_variance", "a number of at least 0", weight_variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 * (np.log(weight_variance) + np.log(mean_squares))
