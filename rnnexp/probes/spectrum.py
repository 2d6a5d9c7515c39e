"""Eigenvalues and the largest singular value of the recurrent kernel, which differ."""

import dataclasses

import numpy as np

from rnnexp.checks import ArgumentError


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """The two sizes of a recurrent kernel, in float64; nan where an entry was not finite.

    Attributes:
        eigenvalues: Complex (H,), the largest modulus first.
        spectral_radius: max |eigenvalue|, the growth per step after many steps of a linear network.
        sigma_max: Largest singular value, the growth of one step at most. It is at least the spectral radius,
            and equal to it for a normal matrix.
    """

    eigenvalues: np.ndarray
    spectral_radius: float
    sigma_max: float


def measure_spectrum(recurrent_kernel: np.ndarray) -> Spectrum:
    """Measure W_hh.

        spectral_radius = max_i |lambda_i(W_hh)|,  sigma_max = max_v ||W_hh v|| / ||v||

    Args:
        recurrent_kernel: W_hh, (H, H).

    Raises:
        ArgumentError: `recurrent_kernel` is not square or is empty.

    >>> spectrum = measure_spectrum(np.array([[0.5, 10.0], [0.0, 0.5]]))
    >>> spectrum.spectral_radius, round(spectrum.sigma_max, 3)
    (0.5, 10.025)
    """
    kernel = np.asarray(recurrent_kernel, dtype=np.float64)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.size == 0:
        raise ArgumentError("recurrent_kernel", "a non-empty array (H, H)", kernel.shape)
    if not np.isfinite(kernel).all():
        return Spectrum(np.full(len(kernel), complex(np.nan, np.nan)), np.nan, np.nan)
    eigenvalues = np.linalg.eigvals(kernel).astype(np.complex128)
    eigenvalues = eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
    sigma = np.linalg.svd(kernel, compute_uv=False)
    return Spectrum(eigenvalues, float(np.abs(eigenvalues[0])), float(sigma[0]))
