"""The spectra of W_hh at every measurement of a network, in the order of training."""

import dataclasses

import numpy as np

from rnnexp.probes import Spectrum


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
