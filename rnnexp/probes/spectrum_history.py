"""The spectra of W_hh at every look at a network, in the order of training."""

import dataclasses

import numpy as np

from rnnexp.probes import Spectrum


@dataclasses.dataclass(frozen=True, eq=False)
class SpectrumHistory:
    """What training did to the sizes of W_hh; nan where a look found weights that are not finite.

    Attributes:
        train_steps: Updates before each look, rising, int64 (N,).
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
        """Return the history of no look, for H = `units`."""
        return cls.from_table(np.zeros((0, 3 + units)))

    def extended(self, step: int, spectrum: Spectrum) -> "SpectrumHistory":
        """Return the history with one more look; a look at the same step again changes nothing."""
        if step in self.train_steps:
            return self
        row = [step, spectrum.spectral_radius, spectrum.nonnormality, *spectrum.singular_values]
        return self.from_table(np.vstack([self.table(), row]))

    def table(self) -> np.ndarray:
        """Return all of it as float64 (N, 3 + H)."""
        return np.column_stack(
            [self.train_steps, self.spectral_radius, self.nonnormality, self.singular_values]
        )

    @classmethod
    def from_table(cls, table: np.ndarray) -> "SpectrumHistory":
        """Return the history that `table` made."""
        return cls(table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3:])
