"""The Elman cell."""

import dataclasses
from typing import Any

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec, Factored, Units, affine, where_finite
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

    def units(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> Units:
        """Return phi'(a_t) and a_t, and the mean square of W_xh^T x_t + b, from one product."""
        projected = affine(cell, x)
        pre_activations = projected + tf.matmul(before, tf.convert_to_tensor(cell.recurrent_kernel))
        slopes = activations.slope(cell.activation, pre_activations)
        input_variance = tf.reduce_mean(tf.square(projected))
        return Units(where_finite(slopes, pre_activations), pre_activations, input_variance)

    def factored(self, cell: Any, units: Units | None) -> Factored | None:
        """Return phi'(a_t), W_hh and W_xh."""
        if units is None:
            return None
        return Factored(units.slopes, cell.recurrent_kernel.numpy(), cell.kernel.numpy())
