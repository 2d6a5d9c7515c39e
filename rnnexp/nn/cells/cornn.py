"""The coupled oscillatory cell."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnexp.nn.cells.spec import CellSpec, Weight, affine
from rnnexp.nn.initializers import Initializer, PerBlock
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class CoRnn(CellSpec):
    """Oscillators with positions y and velocities z, driven by each other and by the input.

        z_t = z_{t-1} + dt (phi(a_t) - gamma y_{t-1} - eps z_{t-1}),   y_t = y_{t-1} + dt z_t
        a_t = W_xh^T x_t + W_y^T y_{t-1} + W_z^T z_{t-1} + b

    The layer hands on y (B, H). The recurrent kernel (H, 2H) is W_y beside W_z, each drawn by itself; the
    spectrum that is shown is that of W_y. The default constants are those of the authors' code for the adding
    problem.

    Args:
        use_bias: Whether there is a b.
        dt: The size of a step.
        gamma: The square of an oscillator's frequency.
        eps: Its damping.

    Raises:
        ArgumentError: One of the three is no finite number above 0.

    Source: Rusch and Mishra 2021 (https://arxiv.org/abs/2010.00951), with eps z explicit as in their code.
    """

    target = "rnnexp.nn.cells.cornn.CoRnn"
    states = ("y", "z")

    dt: float = 0.06
    gamma: float = 66.0
    eps: float = 15.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dt", "gamma", "eps"):
            checks.positive(name, getattr(self, name))

    def per_block(self, recurrent: Initializer) -> Initializer:
        """Return the initialiser of W_y and W_z side by side."""
        return PerBlock(recurrent, 2)

    def weights(self, units: int, features: int, kernel: Any, recurrent: Any) -> dict[str, Weight]:
        """Return kernel (F, H), recurrent kernel (H, 2H) and b (H,)."""
        found = super().weights(units, features, kernel, recurrent)
        return found | {"recurrent_kernel": Weight((units, 2 * units), recurrent)}

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return y_t and z_t."""
        y, z = states
        force = cell.activation(_pre_activation(cell, x, y, z))
        z = z + self.dt * (force - self.gamma * y - self.eps * z)
        return [y + self.dt * z, z]

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        return _pre_activation(cell, x, *tf.split(before, 2, axis=-1))

    def recurrent_matrix(self, cell: Any) -> np.ndarray:
        """Return W_y, (H, H)."""
        return cell.recurrent_kernel.numpy()[:, : cell.units]


def _pre_activation(cell: Any, x: "tf.Tensor", y: "tf.Tensor", z: "tf.Tensor") -> "tf.Tensor":
    of_positions, of_velocities = ops.split(ops.convert_to_tensor(cell.recurrent_kernel), 2, axis=1)
    return affine(cell, x) + ops.matmul(y, of_positions) + ops.matmul(z, of_velocities)
