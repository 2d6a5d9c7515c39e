"""What a multiple of the identity does to the gradient: every unit is alone."""

import numpy as np

from rnnexp.checks import ArgumentError


def decoupled_rates(gain: float, slopes: np.ndarray) -> np.ndarray:
    """Return the rate of every unit of a layer with W_hh = g I, (B, H), nats per step of lag.

        dh_T/dh_t = diag(prod_{s>t} g phi'(a_s)),   rate_i = ln |g| + mean_s ln |phi'(a_{s,i})|

    They are the layer's Lyapunov exponents, unit by unit. `rnnexp.theory.mean_field` says nothing of this
    layer: its average over units does not exist where no unit hears another. -inf is a unit whose slope was
    exactly 0 once. Initialisation: Le, Jaitly and Hinton 2015 (https://arxiv.org/abs/1504.00941).

    Args:
        gain: g.
        slopes: phi'(a_t) of the steps that the gradient passes, (T, B, H).

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty.

    >>> decoupled_rates(2.0, np.full((10, 1, 2), [0.5, 0.25])).round(3)
    array([[ 0.   , -0.693]])
    """
    slopes = np.asarray(slopes, dtype=np.float64)
    if slopes.ndim != 3 or slopes.size == 0:
        raise ArgumentError("slopes", "a non-empty array (T, B, H)", slopes.shape)
    with np.errstate(divide="ignore"):
        return np.log(np.abs(gain)) + np.log(np.abs(slopes)).mean(axis=0)
