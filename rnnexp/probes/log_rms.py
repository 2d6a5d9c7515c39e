"""Norms that are known by their logarithms: of vectors, and their root mean square."""

from typing import NamedTuple

import numpy as np

_LOWEST = -300.0  # nats below the largest: e^-600 is a float64, e^-800 is not


def log_rms(log_norms: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return 1/2 ln sum_b w_b exp(2 x_b), with the largest x_b factored out.

    Args:
        log_norms: x, (..., B); -inf is an exact zero.
        weights: w, (R, B), rows that sum to 1, of x (T, B); all equal where None.

    Returns:
        (...), or (R, T) of weights. The largest x_b itself where that is not finite: -inf if all are zeros.
        A norm more than 300 nats below the largest counts as one 300 nats below it, so that it is not
        taken for a zero where the weight of the largest is 0.
    """
    largest = log_norms.max(axis=-1, keepdims=True)
    usable = np.isfinite(largest)
    shift = np.where(usable, largest, 0.0)
    # Set aside what is all zeros, or holds a norm that is not finite, which a product would spread.
    relative = np.where(usable, log_norms - shift, -np.inf)
    squares = np.exp(2 * np.where(np.isneginf(relative), -np.inf, np.maximum(relative, _LOWEST)))
    with np.errstate(divide="ignore"):
        logs = np.log(np.mean(squares, axis=-1) if weights is None else weights @ squares.T)
    return np.where(usable[..., 0], shift[..., 0] + 0.5 * logs, largest[..., 0])


class Vectors(NamedTuple):
    """Vectors of any size: unit vectors, and ln of the norms without their axis; 0 and -inf for a zero."""

    directions: np.ndarray
    log_norms: np.ndarray


def unit_vectors(vectors: np.ndarray, axis: int | tuple[int, ...] = -1) -> Vectors:
    """Return vectors along `axis` over their Euclidean norms, and ln of the norms.

    The largest entry is factored out, so that no square over- or underflows. What is not finite gives nan.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.abs(vectors).max(axis=axis, keepdims=True)
        scaled = vectors / np.where(largest == 0, 1.0, largest)
        norm = np.sqrt(np.sum(scaled**2, axis=axis, keepdims=True))
        log_norm = np.log(largest) + np.log(norm)
        return Vectors(scaled / np.where(norm == 0, 1.0, norm), log_norm.squeeze(axis))
