"""The gated recurrent unit."""

import dataclasses

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import GatedCell
from rnnexp.runtime import checks


@dataclasses.dataclass(frozen=True)
class Gru(GatedCell):
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
