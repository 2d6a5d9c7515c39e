"""The long short-term memory."""

import dataclasses

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import GatedCell
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

    Source: Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735), with the forget gate
    of Gers, Schmidhuber and Cummins 2000 (https://doi.org/10.1162/089976600300015015) and its bias of 1 of
    Jozefowicz et al. 2015 (https://proceedings.mlr.press/v37/jozefowicz15.html).
    """

    target = "keras.layers.LSTMCell"
    blocks = ("i", "f", "c", "o")
    candidate = "c"
    states = ("h", "c")

    unit_forget_bias: bool = True
    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.boolean("unit_forget_bias", self.unit_forget_bias)
        checks.choice("recurrent_activation", self.recurrent_activation, activations.NAMES)
