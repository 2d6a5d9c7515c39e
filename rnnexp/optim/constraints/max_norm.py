"""Recurrent weights whose size stays below what T steps can grow by: the constraint of IndRNN."""

import dataclasses
from collections.abc import Mapping

from rnnexp.nn.cells.spec import RECURRENT_KERNEL, CellSpec
from rnnexp.nn.initializers import Initializer
from rnnexp.optim.constraints.base import Constraint
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf


@dataclasses.dataclass(frozen=True)
class MaxNorm(Constraint):
    """w <- min(max(w, -c), c) after every update, c = growth^(1/T), entry by entry of the recurrent weights.

    A unit whose one recurrent weight is w, as in an IndRNN, multiplies a state by w^T over T steps, by
    `growth` at most. Of a matrix it is each entry that is limited, and no such bound follows.

    Args:
        growth: A finite number above 0; the paper takes 2.

    Raises:
        ArgumentError: `growth` is outside its domain.

    Source: Li et al. 2018, https://arxiv.org/abs/1803.04831, section 3.1.
    """

    growth: float = 2.0

    def __post_init__(self) -> None:
        checks.positive("growth", self.growth)

    def check(self, cell: CellSpec, initializer: Initializer, units: int) -> None:
        """Check that there is something to constrain."""
        if not cell.has_recurrent_kernel:
            expected = "a cell with a recurrent kernel for constraint=max_norm, such as cell=indrnn"
            raise checks.ArgumentError("cell", expected, type(cell).__name__)

    def project(self, weights: "Mapping[str, tf.Tensor]", time_steps: int) -> "Mapping[str, tf.Tensor]":
        """Return the recurrent weights within the limit."""
        limit = float(self.growth) ** (1 / time_steps)
        return {
            path: tf.clip_by_value(tf.convert_to_tensor(weight), -limit, limit)
            for path, weight in weights.items()
            if path.endswith(RECURRENT_KERNEL)
        }
