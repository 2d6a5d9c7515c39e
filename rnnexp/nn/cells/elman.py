"""The Elman cell."""

import dataclasses
from typing import Any

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec, Factored, Units, affine
from rnnexp.nn.initializers import Initializer
from rnnexp.runtime.deferred import keras, tf


@dataclasses.dataclass(frozen=True)
class Elman(CellSpec):
    """h_t = phi(a_t), a_t = W_xh^T x_t + W_hh^T h_{t-1} + b: `rnnexp.ElmanCell`.

    J_t = dh_t/dh_{t-1} = diag(phi'(a_t)) W_hh^T
    """

    target = "rnnexp.ElmanCell"
    laws = frozenset({"bounds", "mean_field", "measured_statistics", "closure", "diagonal_kernel", "linear"})
    scanned = True

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new `rnnexp.ElmanCell`."""
        from rnnexp.nn.elman_cell import ElmanCell

        return ElmanCell(
            units,
            activations.by_name(activation),
            use_bias=self.use_bias,
            kernel_initializer=kernel,
            recurrent_initializer=recurrent,
            dtype=dtype,
        )

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        return affine(cell, x) + tf.matmul(before, tf.convert_to_tensor(cell.recurrent_kernel))

    def factored(self, cell: Any, units: Units | None) -> Factored | None:
        """Return phi'(a_t), W_hh and W_xh."""
        if units is None:
            return None
        return Factored(units.slopes, cell.recurrent_kernel.numpy(), cell.kernel.numpy())
