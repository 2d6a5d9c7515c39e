"""The rate over other kernels of the same initialiser, which mean-field theory predicts the mean of."""

import numpy as np

from rnnexp.runtime.arrays import shaped
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory.gaussian import Elementwise
from rnnexp.theory.lags import fitted_lines


def rates_over_kernels(
    phi: Elementwise, slope: Elementwise, kernels: np.ndarray, inputs: np.ndarray, last_adjoint: np.ndarray
) -> np.ndarray:
    """Return the rms rate of every kernel on the same inputs, (K,), nats per step of lag.

        h_t = phi(x_t + W^T h_{t-1}),   dl_b/dh_{t-1} = W (phi'(a_t) o dl_b/dh_t)
        rate = slope of 1/2 ln mean_b ||dl_b/dh_t||^2 against T - t

    The mean over kernels is what `rnnexp.theory.mean_field` predicts for a wide layer, and the spread is what
    one kernel departs from it by: at H = 64 about 0.02 to 0.06 nats per step.

    Args:
        phi: The activation.
        slope: Its derivative.
        kernels: W_hh, (K, H, H).
        inputs: x_t = W_xh^T x_t + b, (T, B, H).
        last_adjoint: dl_b/dh_T, (B, H), the same for all kernels.

    Returns:
        The rates; nan where fewer than two lags are usable.

    Raises:
        ArgumentError: An array has not its shape.
    """
    units = inputs.shape[-1]
    if inputs.ndim != 3 or kernels.shape[1:] != (units, units):
        raise ArgumentError("kernels", f"an array (K, {units}, {units})", kernels.shape)
    last_adjoint = shaped("last_adjoint", last_adjoint, inputs.shape[1:])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        slopes = _slopes(phi, slope, kernels, inputs)
        profiles = _profiles(kernels, slopes, last_adjoint)
    return fitted_lines(profiles.T)[0]


def _slopes(phi: Elementwise, slope: Elementwise, kernels: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """phi'(a_t), (T, K, B, H)."""
    h = np.zeros((len(kernels), *inputs.shape[1:]))
    found = np.empty((len(inputs), *h.shape))
    for step, driven in enumerate(inputs):
        found[step] = driven + h @ kernels
        h = phi(found[step])
    for step, before in enumerate(found):
        found[step] = slope(before)
    return found


def _profiles(kernels: np.ndarray, slopes: np.ndarray, last_adjoint: np.ndarray) -> np.ndarray:
    """1/2 ln mean_b ||dl_b/dh_t||^2 by lag, (T, K); every kernel's gradients share one scale."""
    gradient = np.broadcast_to(last_adjoint, slopes.shape[1:])
    log_scale, found = np.zeros(len(kernels)), []
    for passed in slopes[::-1]:
        size = np.sqrt(np.mean(np.sum(gradient**2, axis=2), axis=1))
        found.append(log_scale + np.log(size))
        live = np.where(size > 0, size, 1.0)
        log_scale = log_scale + np.log(live)
        gradient = (passed * gradient / live[:, np.newaxis, np.newaxis]) @ kernels.swapaxes(1, 2)
    return np.array(found)
