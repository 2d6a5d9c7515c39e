"""The long short-term memory."""

import dataclasses
from typing import Any

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import GatedCell, check_chrono
from rnnexp.nn.gate_biases import GateBiases
from rnnexp.runtime import checks


@dataclasses.dataclass(frozen=True)
class Lstm(GatedCell):
    """The long short-term memory, `keras.layers.LSTMCell`.

        (a_i, a_f, a_c, a_o) = W^T x_t + R^T h_{t-1} + b
        c_t = sigma(a_f) c_{t-1} + sigma(a_i) phi(a_c)
        h_t = sigma(a_o) phi(c_t)

    Args:
        use_bias: Whether there is a b.
        unit_forget_bias: Whether the forget gate's bias starts at 1 and not at 0.
        recurrent_activation: Name of sigma.
        forget_bias: b_f at the start, a number; None: as `unit_forget_bias` says. A c that nothing writes to
            changes by ln sigma(b_f) nats per step.
        input_bias: b_i at the start.
        output_bias: b_o at the start.
        chrono: T_max, an integer of at least 3: b_f = ln U(1, T_max - 1) unit by unit and b_i = -b_f, in
            place of `forget_bias` and `input_bias`; None: none of that.

    Raises:
        ArgumentError: An argument is outside its domain, or there are biases beside `chrono`.

    Source: Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735), with the forget gate
    of Gers, Schmidhuber and Cummins 2000 (https://doi.org/10.1162/089976600300015015) and its bias of 1 of
    Jozefowicz et al. 2015 (https://proceedings.mlr.press/v37/jozefowicz15.html); chrono is of Tallec and
    Ollivier 2018 (https://arxiv.org/abs/1804.11188).
    """

    target = "keras.layers.LSTMCell"
    blocks = ("i", "f", "c", "o")
    candidate = "c"
    states = ("h", "c")

    unit_forget_bias: bool = True
    recurrent_activation: str = "sigmoid"
    forget_bias: float | None = None
    input_bias: float = 0.0
    output_bias: float = 0.0
    chrono: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.boolean("unit_forget_bias", self.unit_forget_bias)
        checks.choice("recurrent_activation", self.recurrent_activation, activations.NAMES)
        checks.finite("input_bias", self.input_bias)
        checks.finite("output_bias", self.output_bias)
        if self.forget_bias is not None:
            checks.finite("forget_bias", self.forget_bias)
        biases = {"forget_bias": self.forget_bias, "input_bias": self.input_bias}
        check_chrono(self.chrono, self.use_bias, biases)

    def arguments(self) -> dict[str, Any]:
        """Return those of the Keras cell, whose forget bias is one of `biases`."""
        activation = self.recurrent_activation
        return {"use_bias": self.use_bias, "unit_forget_bias": False, "recurrent_activation": activation}

    def biases(self, seed: int) -> GateBiases:
        """Return the initialiser of b_i, b_f, b_c and b_o."""
        forget = float(self.unit_forget_bias) if self.forget_bias is None else self.forget_bias
        forget = forget if self.chrono is None else 0.0
        constants = (self.input_bias, forget, 0.0, self.output_bias)
        return GateBiases(constants, (-1.0, 1.0, 0.0, 0.0), self.chrono, seed)
