"""The independently recurrent cell."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnexp.nn.cells.spec import CellSpec, Weight, affine
from rnnexp.runtime import checks, random
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import tf


@dataclasses.dataclass(frozen=True)
class IndRnn(CellSpec):
    """h_t = phi(a_t),   a_t = W_xh^T x_t + u * h_{t-1} + b,   u (1, H): every unit hears itself alone.

        J_t = dh_t/dh_{t-1} = diag(phi'(a_t) * u)

    The weight u is the `recurrent_kernel`. `init` draws no matrix here: u_i = gain U(low, high). The source
    takes activation=relu, keeps |u_i| below 2^(1/T), and stacks layers.

    Args:
        use_bias: Whether there is a b.
        low: Lower end of u at the start, for a gain of 1.
        high: Upper end, above `low`.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Li et al. 2018 (https://arxiv.org/abs/1803.04831).
    """

    target = "rnnexp.nn.cells.indrnn.IndRnn"
    laws = frozenset({"bounds", "diagonal_kernel"})

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if checks.finite("high", self.high) <= checks.finite("low", self.low):
            raise ArgumentError("high", f"a finite number above {self.low}, the lower end", self.high)

    def weights(self, units: int, features: int, kernel: Any, recurrent: Any) -> dict[str, Weight]:
        """Return kernel (F, H), u (1, H) and b (H,)."""

        def draw(shape: Sequence[int], dtype: Any = None) -> np.ndarray:
            drawn = random.generator(recurrent.seed, "weights").uniform(self.low, self.high, shape)
            return (recurrent.gain * drawn).astype(dtype)

        found = super().weights(units, features, kernel, recurrent)
        return found | {"recurrent_kernel": Weight((1, units), draw)}

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        return [cell.activation(self.pre_activation(cell, x, states[0]))]

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        return affine(cell, x) + cell.recurrent_kernel * before

    def recurrent_matrix(self, cell: Any) -> np.ndarray:
        """Return diag(u), (H, H)."""
        return np.diag(cell.recurrent_kernel.numpy()[0])
