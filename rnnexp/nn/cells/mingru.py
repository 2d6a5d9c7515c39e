"""The minimal gated recurrent unit."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec, Units, Weight, affine, where_finite
from rnnexp.nn.gate_biases import GateBiases
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class MinGru(CellSpec):
    """h_t = (1 - z_t) * h_{t-1} + z_t * phi(p_t),   z_t = sigma(a_t),   (a_t, p_t) = W^T x_t + b.

        J_t = dh_t/dh_{t-1} = diag(1 - z_t)

    Gate and candidate see x_t alone, so the recurrence is linear in h and J_t depends on the inputs only.
    There is no recurrent kernel: `init` draws nothing, and neither W_hh's spectrum nor lags are measured. The
    kernel W is (F, 2H). The source has no phi (activation=linear).

    Args:
        use_bias: Whether there is a b.
        update_bias: Of z at the start: the lower, the longer a state is kept, for about 1 / z steps.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Feng et al. 2024 (https://arxiv.org/abs/2410.01201), minGRU.
    """

    target = "rnnexp.nn.cells.mingru.MinGru"
    blocks = ("z", "h")
    has_recurrent_kernel = False

    update_bias: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.finite("update_bias", self.update_bias)
        if self.update_bias and not self.use_bias:
            raise checks.ArgumentError("use_bias", "true, as there is an update_bias", self.use_bias)

    def weights(self, units: int, features: int, kernel: Any, recurrent: Any) -> dict[str, Weight]:
        """Return kernel (F, 2H) and b (2H,)."""
        found = {"kernel": Weight((features, 2 * units), kernel)}
        if self.use_bias:
            found["bias"] = Weight((2 * units,), GateBiases((self.update_bias, 0.0), (0.0, 0.0)))
        return found

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        gate, candidate = ops.split(affine(cell, x), 2, axis=-1)
        kept = ops.sigmoid(-gate)  # 1 - z, exact where z is next to 1
        return [kept * states[0] + ops.sigmoid(gate) * cell.activation(candidate)]

    def units(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> Units:
        """Return the slopes of the gate: a gate with sigma' < 0.01 is as good as open or shut for good."""
        gate, _ = tf.split(affine(cell, x), 2, axis=-1)
        return Units(where_finite(activations.slope(activations.by_name("sigmoid"), gate), gate))
