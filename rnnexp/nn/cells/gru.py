"""The gated recurrent unit."""

import dataclasses
from typing import Any

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import GatedCell, check_chrono
from rnnexp.nn.gate_biases import GateBiases
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
        update_bias: Of z at the start: the higher, the longer a state is kept.
        reset_bias: Of r at the start.
        chrono: T_max, an integer of at least 3: the bias of z is ln U(1, T_max - 1) unit by unit, in place of
            `update_bias`; None: none of that.

    Raises:
        ArgumentError: An argument is outside its domain, or there is an `update_bias` beside `chrono`.

    Source: Cho et al. 2014 (https://arxiv.org/abs/1406.1078); chrono is of Tallec and Ollivier 2018
    (https://arxiv.org/abs/1804.11188), whose gate is 1 - z.
    """

    target = "keras.layers.GRUCell"
    blocks = ("z", "r", "h")

    reset_after: bool = True
    recurrent_activation: str = "sigmoid"
    update_bias: float = 0.0
    reset_bias: float = 0.0
    chrono: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.boolean("reset_after", self.reset_after)
        checks.choice("recurrent_activation", self.recurrent_activation, activations.NAMES)
        checks.finite("update_bias", self.update_bias)
        checks.finite("reset_bias", self.reset_bias)
        check_chrono(self.chrono, self.use_bias, {"update_bias": self.update_bias})

    def arguments(self) -> dict[str, Any]:
        """Return those of the Keras cell."""
        names = ("use_bias", "reset_after", "recurrent_activation")
        return {name: getattr(self, name) for name in names}

    def biases(self, seed: int) -> GateBiases:
        """Return the initialiser of the biases of z, r and the candidate."""
        return GateBiases((self.update_bias, self.reset_bias, 0.0), (1.0, 0.0, 0.0), self.chrono, seed)
