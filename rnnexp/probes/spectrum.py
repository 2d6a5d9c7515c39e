"""Eigenvalues and singular values of the recurrent kernel, its departure from normality, their history."""

import dataclasses
from typing import ClassVar

import numpy as np

from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.arrays import filled

_WHEN = "a recurrent kernel"


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """The sizes of a recurrent kernel, in float64; nan where an entry was not finite.

    Attributes:
        eigenvalues: Complex (H,), the largest modulus first.
        spectral_radius: max |eigenvalue|, the growth per step after many steps of a linear network.
        sigma_max: Largest singular value, the growth of one step at most. It is at least the spectral radius,
            and equal to it for a normal matrix.
        singular_values: (H,), the largest first.
        departure: Henrici's departure from normality, sqrt(||W_hh||_F^2 - sum |eigenvalue|^2); inf past
            1e308.
        nonnormality: The departure as a share of ||W_hh||_F, from 0 (normal) to 1 (nilpotent).
    """

    eigenvalues: np.ndarray
    spectral_radius: float
    sigma_max: float
    singular_values: np.ndarray
    departure: float
    nonnormality: float


@dataclasses.dataclass(frozen=True, eq=False)
class SpectrumHistory:
    """Spectral radius and singular values of W_hh over training; nan if the weights were not finite.

    Attributes:
        train_steps: Updates before each measurement, rising, int64 (N,).
        spectral_radius: max |eigenvalue|, (N,).
        nonnormality: The departure from normality as a share of ||W_hh||_F, (N,).
        singular_values: (N, H), the largest first.
    """

    train_steps: np.ndarray
    spectral_radius: np.ndarray
    nonnormality: np.ndarray
    singular_values: np.ndarray

    @classmethod
    def empty(cls, units: int) -> "SpectrumHistory":
        """Return the history without measurements, for H = `units`."""
        return cls.from_table(np.zeros((0, 3 + units)))

    def extended(self, step: int, spectrum: Spectrum) -> "SpectrumHistory":
        """Return the history with one more spectrum; a second one of the same step is ignored."""
        if step in self.train_steps:
            return self
        row = [step, spectrum.spectral_radius, spectrum.nonnormality, *spectrum.singular_values]
        return self.from_table(np.vstack([self.table(), row]))

    def table(self) -> np.ndarray:
        """Return the history as one array, float64 (N, 3 + H)."""
        return np.column_stack(
            [self.train_steps, self.spectral_radius, self.nonnormality, self.singular_values]
        )

    @classmethod
    def from_table(cls, table: np.ndarray) -> "SpectrumHistory":
        """Return the history from the array that `table` returns."""
        return cls(table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3:])


class SpectrumProbe(Probe[Spectrum]):
    """The recurrent kernel; of a gated cell, the block of its candidate."""

    name = "spectrum"
    page = "spectrum"
    has_figure = True
    metric_table: ClassVar = {
        "recurrent/spectral_radius": Metric("largest modulus of an eigenvalue of W_hh", "per step", _WHEN),
        "recurrent/sigma_max": Metric("largest singular value of W_hh", "per step", _WHEN),
        "recurrent/nonnormality": Metric("departure from normality over ||W_hh||_F", "share", _WHEN),
    }
    array_table: ClassVar = {
        "eigenvalues": Array("of W_hh, complex; of a gated cell, of the block of its candidate", "(H,)"),
        "sigma_max": Array("recurrent/sigma_max", "()"),
    }

    def measure(self, trajectory: Trajectory) -> Spectrum | None:
        """Return the sizes of the recurrent matrix, None of a cell that has none."""
        matrix = trajectory.recurrent_matrix
        return None if matrix is None else measure_spectrum(matrix)


def measure_spectrum(recurrent_kernel: np.ndarray) -> Spectrum:
    """Measure W_hh.

        spectral_radius = max_i |lambda_i(W_hh)|,   sigma_max = max_v ||W_hh v|| / ||v||
        departure = sqrt(||W_hh||_F^2 - sum_i |lambda_i|^2),   nonnormality = departure / ||W_hh||_F

    A kernel that departs from normality can stretch a vector over many steps although its spectral radius is
    below 1. The departure is computed as the norm of the strictly upper part of the Schur form, without
    cancellation: `nonnormality` is exact to about 1e-15 H for a kernel within 1e-15 of the given one.
    Source: Henrici 1962 (https://doi.org/10.1007/BF01386294).

    Args:
        recurrent_kernel: W_hh, (H, H).

    Raises:
        ArgumentError: `recurrent_kernel` is not square or is empty.

    >>> spectrum = measure_spectrum(np.array([[0.5, 10.0], [0.0, 0.5]]))
    >>> spectrum.spectral_radius, round(spectrum.sigma_max, 3), spectrum.departure
    (0.5, 10.025, 10.0)
    """
    kernel = filled("recurrent_kernel", recurrent_kernel, "H, H")
    if not np.isfinite(kernel).all():
        lost = np.full(len(kernel), np.nan)
        return Spectrum(lost + 1j * lost, np.nan, np.nan, lost, np.nan, np.nan)
    eigenvalues = np.linalg.eigvals(kernel).astype(np.complex128)
    eigenvalues = eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
    sigma = np.linalg.svd(kernel, compute_uv=False)
    departure, norm = _departure(kernel)
    return Spectrum(
        eigenvalues=eigenvalues,
        spectral_radius=float(np.abs(eigenvalues[0])),
        sigma_max=float(sigma[0]),
        singular_values=sigma,
        departure=departure * float(np.abs(kernel).max()),
        nonnormality=departure / norm if norm > 0 else 0.0,
    )


def _departure(kernel: np.ndarray) -> tuple[float, float]:
    """Return the departure and the Frobenius norm of the kernel over its largest entry."""
    from scipy.linalg import schur  # not above, as no command line should wait for it

    largest = np.abs(kernel).max()
    triangle = schur(kernel / (largest if largest > 0 else 1.0))[0]
    upper = np.triu(triangle, 1)
    # For a complex pair the Schur form holds the block [[a, b], [c, a]], bc < 0, with |lambda|^2 = a^2 - bc:
    # it contributes b^2 + c^2 + 2bc to the square of the departure.
    pairs = np.arange(len(kernel) - 1)
    upper[pairs, pairs + 1] += triangle[pairs + 1, pairs]
    return float(np.linalg.norm(upper)), float(np.linalg.norm(triangle))
