"""The gated recurrent unit."""

import dataclasses
from typing import TYPE_CHECKING, Any

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec, Units, gate_slopes
from rnnexp.nn.initializers import Initializer
from rnnexp.runtime import checks

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Gru(CellSpec):
    """The gated recurrent unit, `keras.layers.GRUCell`.

        z = sigma(a_z),   r = sigma(a_r),   (a_z, a_r, p) = W^T x_t + b + (R_z, R_r, 0)^T h_{t-1}
        h_t = z h_{t-1} + (1 - z) phi(p + r (R_h^T h_{t-1} + b_R))

    Args:
        use_bias: Whether there are biases.
        reset_after: Whether r multiplies after the product, as above (cuDNN, PyTorch), or before it:
            phi(p + R_h^T (r h_{t-1})).
        recurrent_activation: Name of sigma.

    Source: Cho et al. 2014 (https://arxiv.org/abs/1406.1078).
    """

    target = "keras.layers.GRUCell"
    blocks = ("z", "r", "h")

    reset_after: bool = True
    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.boolean("reset_after", self.reset_after)
        checks.choice("recurrent_activation", self.recurrent_activation, activations.NAMES)

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new `keras.layers.GRUCell`."""
        import keras

        return keras.layers.GRUCell(
            units,
            activations.by_name(activation),
            **dataclasses.asdict(self),
            kernel_initializer=kernel,
            recurrent_initializer=self.per_block(recurrent),
            dtype=dtype,
        )

    def units(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> Units:
        """Return the slopes of the gates: a gate with sigma' < 0.01 is as good as open or shut for good."""
        return Units(gate_slopes(self, cell, x, before))
