"""The leaky cell."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from rnnexp.nn.cells.spec import CellSpec, affine
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class Leaky(CellSpec):
    """h_t = (1 - r) h_{t-1} + r phi(a_t),   a_t = W_xh^T x_t + W_hh^T h_{t-1} + b.

        J_t = dh_t/dh_{t-1} = (1 - r) I + r diag(phi'(a_t)) W_hh^T

    r = 1 gives the Elman cell; with a small r the state decays over about 1 / r steps. No law of
    `rnnexp.theory` applies to this cell: all of them are for h_t = phi(a_t).

    Args:
        use_bias: Whether there is a b.
        rate: r, above 0 and at most 1.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Jaeger et al. 2007 (https://doi.org/10.1016/j.neunet.2007.04.016).
    """

    target = "rnnexp.nn.cells.leaky.Leaky"

    rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if checks.positive("rate", self.rate) > 1:
            raise ArgumentError("rate", "a number above 0 and at most 1", self.rate)

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        (before,) = states
        return [(1 - self.rate) * before + self.rate * cell.activation(self.pre_activation(cell, x, before))]

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        return affine(cell, x) + ops.matmul(before, cell.recurrent_kernel)
