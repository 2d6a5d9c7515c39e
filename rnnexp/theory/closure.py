"""The second-moment closure: the growth of the gradient with this kernel and the measured slopes."""

import numpy as np

from rnnexp.runtime.arrays import filled, shaped
from rnnexp.theory.lags import fitted_rate


def closure_profile(kernel: np.ndarray, slopes: np.ndarray, last_adjoint: np.ndarray) -> np.ndarray:
    """Return 1/2 ln tr M_t by lag k = T - t, (T,), nats: the law's ln rms_b ||dl_b/dh_t||.

        M_T = mean_b g_b g_b^T,   g_b = dl_b/dh_T
        M_{t-1} = W (C_t o M_t) W^T,   C_t = mean_b s_t s_t^T,   s_t = phi'(a_t),   o elementwise

    Exact is dl/dh_{t-1} = W (s_t o dl/dh_t) of every sample, and so M_{t-1} = W mean_b(s s^T o g g^T) W^T.
    The law puts the product of means for the mean of products: slopes and gradients are taken for independent
    over samples at every step, and nothing is assumed of the kernel. It is exact for one sample, for one
    slope that all samples share (a linear layer among others), and for slopes drawn afresh at every step.
    It fails where the same samples have large slopes step after step, as for W = g I with
    `rnnexp.theory.decoupled_rate` in its place. M is kept at trace 1 beside its logarithm. A step costs
    2 H^3 + B H^2 products.

    The second moments of a product of matrices: Furstenberg and Kesten 1960
    (https://doi.org/10.1214/aoms/1177705909); of back-propagated gradients: Schoenholz et al. 2017
    (https://arxiv.org/abs/1611.01232), where W is averaged over too.

    Args:
        kernel: W_hh, (H, H), from unit i (row) to unit j (column).
        slopes: phi'(a_1) ... phi'(a_T), (T, B, H).
        last_adjoint: dl_b/dh_T, (B, H).

    Returns:
        The profile; -inf from the lag at which the gradient is 0, nan from the lag of a non-finite number.

    Raises:
        ArgumentError: `slopes` is not (T, B, H) or is empty, or another array has not its shape.

    >>> closure_profile(np.array([[2.0]]), np.full((3, 1, 1), 0.25), np.array([[1.0]])).round(3)
    array([ 0.   , -0.693, -1.386])
    """
    slopes = filled("slopes", slopes, "T, B, H")
    time_steps, samples, units = slopes.shape
    kernel = shaped("kernel", kernel, (units, units))
    last_adjoint = shaped("last_adjoint", last_adjoint, (samples, units))
    profile = np.full(time_steps, -np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = np.abs(last_adjoint).max()
        scaled = last_adjoint / (largest or 1.0)
        moments, log_scale = scaled.T @ scaled / samples, np.log(largest or 1.0)
        for lag in range(time_steps):
            trace = float(np.trace(moments))
            if trace == 0:
                break
            log_scale += 0.5 * np.log(trace)
            profile[lag] = log_scale
            passed = slopes[time_steps - 1 - lag]
            correlated = passed.T @ passed * (moments / trace) / samples
            moments = kernel @ correlated @ kernel.T
    return profile


def closure_rate(kernel: np.ndarray, slopes: np.ndarray, last_adjoint: np.ndarray) -> float:
    """Return the slope of `closure_profile` against the lag, nats per step of lag.

    It stands beside the rate of the root mean square over samples. Arguments and errors as there; nan where
    fewer than two lags are left, or a number is not finite.
    """
    profile = closure_profile(kernel, slopes, last_adjoint)
    return np.nan if np.isnan(profile).any() else fitted_rate(profile)
