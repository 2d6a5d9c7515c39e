"""The states of a layer that theory speaks of, and which of its laws may be applied to the kernel."""

from dataclasses import dataclass

import numpy as np

from rnnexp import theory
from rnnexp.nn.initializers import Initializer

_SHORT = 2.0  # times sqrt(H): for longer sequences rare kernels dominate the mean over kernels
_OTHER_SEEDS = 1_000_003  # distance between the seeds of a kernel and of its redrawn kernels


@dataclass(frozen=True, eq=False, kw_only=True)
class Observed:
    """The input of the laws: the states of a layer whose units have one slope each, on one batch.

    Attributes:
        kernel: W_hh, (H, H).
        slopes: phi'(a_1) ... phi'(a_T), (T, B, H).
        variances: q_t = mean_{b,i} a_t^2, (T,).
        slope: phi'.
        activation: Name of phi.
        mean_field_rate: `rnnexp.theory.mean_field(...).rate`, nats per step; nan where it is no law.
        rate_bound: ln(sigma_max sup |phi'|), nats per step.
        laws: The modules of `rnnexp.theory` whose laws apply to the cell.
        last_adjoint: dl_b/dh_T, (B, H).
        inputs: W_xh^T x_t + b, (T, B, H).
        phi: The activation.
        initializer: The initialiser of W_hh, which can draw other kernels; None if it is not known.
        read_at_end: Whether the loss reads h_T alone (`rnnexp.probes.trajectory.Trajectory`).
    """

    kernel: np.ndarray
    slopes: np.ndarray
    variances: np.ndarray
    slope: theory.Elementwise
    activation: str
    mean_field_rate: float
    rate_bound: float
    laws: frozenset[str]
    last_adjoint: np.ndarray
    inputs: np.ndarray
    phi: theory.Elementwise
    initializer: Initializer | None = None
    read_at_end: bool = True

    @property
    def diagonal(self) -> np.ndarray | None:
        """The diagonal of a W_hh that holds nothing else, (H,): g I, or that of cell=indrnn; else None."""
        diagonal = np.diag(self.kernel)
        return diagonal if np.array_equal(self.kernel, np.diag(diagonal)) else None

    @property
    def mean_field(self) -> bool:
        """Whether W_hh counts as a draw of independent entries.

        A kernel whose initialiser is not known does, unless it is diagonal.
        """
        return self.diagonal is None and (self.initializer is None or self.initializer.mean_field)

    @property
    def independent(self) -> bool:
        """Whether the initialiser of W_hh is known to draw every entry independently."""
        return self.initializer is not None and self.initializer.independent

    def redrawn(self, count: int) -> np.ndarray:
        """Return other kernels of the same initialiser, (count, H, H); (0, H, H) if it is not known."""
        if self.initializer is None:
            return np.zeros((0, *self.kernel.shape))
        others = [self.initializer.apart(_OTHER_SEEDS * number) for number in range(1, count + 1)]
        return np.stack([other(self.kernel.shape, "float64") for other in others])

    @property
    def weight_variance(self) -> float:
        """Mean-field theory's sigma_w^2 = sum_ij W_ij^2 / H."""
        return weight_variance(self.kernel)

    @property
    def short(self) -> bool:
        """Whether T-1 <= 2 sqrt(H), so that the largest eigenvalue does not dominate yet."""
        return len(self.slopes) - 1 <= _SHORT * theory.glorot_time_scale(len(self.kernel))


def weight_variance(kernel: np.ndarray) -> float:
    """Return sum_ij W_ij^2 / H, mean-field theory's sigma_w^2."""
    with np.errstate(over="ignore"):
        return float(np.sum(np.square(kernel)) / len(kernel))
