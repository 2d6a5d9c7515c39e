"""The gradient of a layer whose recurrent kernel is diagonal: its units are independent."""

import numpy as np
import numpy.typing as npt

from rnnexp.runtime.arrays import filled
from rnnexp.runtime.checks import integer
from rnnexp.theory.lags import rms_rate


def decoupled_rates(gain: npt.ArrayLike, slopes: np.ndarray) -> np.ndarray:
    """Return the rate of every unit of a layer with W_hh = g I, (B, H), nats per step of lag.

        dh_T/dh_t = diag(prod_{s>t} g phi'(a_s)),   rate_i = ln |g| + mean_s ln |phi'(a_{s,i})|

    They are the layer's Lyapunov exponents, unit by unit. `rnnexp.theory.mean_field` says nothing of this
    layer: its average over units does not exist where no unit hears another. -inf is a unit whose slope was
    exactly 0 once. Initialisation: Le, Jaitly and Hinton 2015 (https://arxiv.org/abs/1504.00941).

    Args:
        gain: g; or the diagonal of W_hh = diag(g), (H,).
        slopes: phi'(a_t) of the steps that the gradient passes, (T, B, H).

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty.

    >>> decoupled_rates(2.0, np.full((10, 1, 2), [0.5, 0.25])).round(3)
    array([[ 0.   , -0.693]])
    """
    return _log_gains(gain, slopes).mean(axis=0)


def decoupled_rate(gain: npt.ArrayLike, slopes: np.ndarray) -> float:
    """Return the rate of the gradient of a layer with W_hh = g I, nats per step of lag.

        p_k = 1/2 ln mean_{b,i} prod_{s>T-k} (g phi'(a_s)_{b,i})^2

    fitted over the lags k as the measured rate is. The mean over units takes the gradient at h_T for
    unrelated to what the units do; what every unit does on the way is exact. Where units keep their slopes
    for long it lies above `rate_of_slopes`, which lets units mix at every step.

    Args:
        gain: g; or the diagonal of W_hh = diag(g), (H,).
        slopes: phi'(a_1) ... phi'(a_T), (T, B, H).

    Returns:
        The rate; nan where fewer than two lags are left that any unit reaches, or where a slope is nan.

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty.

    >>> round(decoupled_rate(2.0, np.full((10, 1, 2), 0.25)), 3)
    -0.693
    """
    return rms_rate(_log_gains(gain, slopes)[1:])


def decoupled_exponent(gain: npt.ArrayLike, slopes: np.ndarray, warm_up: int) -> float:
    """Return the largest Lyapunov exponent of a layer with W_hh = g I over T - w steps, nats per step.

        P_t = prod_{s<=t} g phi'(a_s),   lambda_1 = mean_b 1/2 ln(mean_i P_T^2 / mean_i P_w^2) / (T - w)

    what a random direction grows by from step w to step T. In the long run it is the largest of
    `decoupled_rates`, but units that hand on nearly the same take long to part. A sample in which no unit is
    left is left out.

    Args:
        gain: g; or the diagonal of W_hh = diag(g), (H,).
        slopes: phi'(a_1) ... phi'(a_T), (T, B, H).
        warm_up: w, the steps before those that count, from 0 to T-1.

    Returns:
        The exponent; -inf where no sample is left, nan where a slope is nan.

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty, or `warm_up` is not from 0 to T-1.

    >>> round(decoupled_exponent(2.0, np.full((10, 1, 2), 0.25), warm_up=1), 3)
    -0.693
    """
    from scipy.special import logsumexp  # not above, as no command line should wait for it

    log_gains = _log_gains(gain, slopes)
    time_steps = len(log_gains) - integer("warm_up", warm_up, 0, len(log_gains) - 1)
    ends = [
        logsumexp(2 * part.sum(axis=0), axis=1)
        for part in (log_gains, log_gains[: len(log_gains) - time_steps])
    ]
    with np.errstate(invalid="ignore"):
        of_samples = (ends[0] - ends[1]) / 2 / time_steps
    alive = of_samples[~np.isneginf(ends[0])]
    return float(alive.mean()) if alive.size else -np.inf


def _log_gains(gain: npt.ArrayLike, slopes: np.ndarray) -> np.ndarray:
    """ln |g phi'(a_t)|, (T, B, H)."""
    slopes = filled("slopes", slopes, "T, B, H")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.abs(gain)) + np.log(np.abs(slopes))
