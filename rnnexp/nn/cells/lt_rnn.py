"""The cell with a linear transition."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from rnnexp.nn.cells.spec import CellSpec, affine
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class LtRnn(CellSpec):
    """h_t = W_hh^T h_{t-1} + W_xh^T x_t,   read as y_t = W_hy^T phi(h_t) + c.

        J_t = dh_t/dh_{t-1} = W_hh^T

    The recurrence is linear; phi stands between the state and the readout. The source takes activation=relu,
    with init=identity for the adding and init=orthogonal or henaff for the copying problem.

    Args:
        use_bias: Whether h_t has a bias b, which the source has not.

    Source: Henaff, Szlam and LeCun 2016 (https://arxiv.org/abs/1602.06662).
    """

    target = "rnnexp.nn.cells.lt_rnn.LtRnn"
    read_through_activation = True

    use_bias: bool = False

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        return [affine(cell, x) + ops.matmul(states[0], cell.recurrent_kernel)]
