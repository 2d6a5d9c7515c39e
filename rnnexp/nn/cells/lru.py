"""The linear recurrent unit."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnexp.nn.cells.spec import CellSpec, Weight, affine
from rnnexp.runtime import checks, random
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class Lru(CellSpec):
    """s_t = lambda * s_{t-1} + exp(gamma) * (B x_t),   read as y_t = W_hy^T phi(h_t) + c,   h = (Re s, Im s).

        lambda = exp(-exp(nu) + i exp(theta)),   N = H / 2 complex numbers
        J_t = dh_t/dh_{t-1}: every pair (Re s_i, Im s_i) turns by exp(theta_i) and shrinks by |lambda_i|

    The recurrence is linear, complex and diagonal; phi stands between the state and the readout. With
    activation=linear this is the source's unit, without the deep stack around it. Weights are nu, theta,
    gamma, (1, N) each, and the kernel (F, H), whose halves are the real and the imaginary part of B.

    `init` draws no matrix here: lambda starts uniform on a ring of the complex plane,
    |lambda|^2 ~ U(r_min^2, r_max^2), exp(theta) ~ U(0, max_phase), and gamma at ln sqrt(1 - |lambda|^2), so
    that white inputs keep their variance. The spectrum that is shown is lambda and its conjugate.

    Args:
        use_bias: Whether B x_t has a bias, which the source has not.
        r_min: Inner radius, from 0.
        r_max: Outer radius, above `r_min` and at most 1.
        max_phase: The largest angle, above 0 and at most 2 pi.
        normalize: Whether there is a gamma; without it h grows as lambda nears the circle.

    Raises:
        ArgumentError: An argument is outside its domain, or H is odd.

    Source: Orvieto et al. 2023 (https://arxiv.org/abs/2303.06349).
    """

    target = "rnnexp.nn.cells.lru.Lru"
    has_recurrent_kernel = False
    read_through_activation = True

    use_bias: bool = False
    r_min: float = 0.0
    r_max: float = 1.0
    max_phase: float = 2 * math.pi
    normalize: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative("r_min", self.r_min)
        if checks.positive("r_max", self.r_max) > 1 or self.r_max <= self.r_min:
            raise ArgumentError("r_max", f"a number above {self.r_min}, r_min, and at most 1", self.r_max)
        if checks.positive("max_phase", self.max_phase) > 2 * math.pi:
            raise ArgumentError("max_phase", "a number above 0 and at most 2 pi", self.max_phase)
        checks.boolean("normalize", self.normalize)

    def check_size(self, units: int, features: int) -> None:
        """Refuse an odd number of units."""
        if units % 2:
            raise ArgumentError("units", "an even number, two for every complex one", units)

    def weights(self, units: int, features: int, kernel: Any, recurrent: Any) -> dict[str, Weight]:
        """Return kernel (F, H), nu, theta and gamma (1, N), and b (H,)."""
        numbers = units // 2
        squares, shares = random.generator(recurrent.seed, "weights").uniform(size=(2, 1, numbers))
        squares = self.r_min**2 + (self.r_max**2 - self.r_min**2) * squares
        ring = {
            "nu": np.log(-0.5 * np.log(squares)),
            "theta": np.log(self.max_phase * shares),
            "gamma": 0.5 * np.log1p(-squares),
        }
        if not self.normalize:
            del ring["gamma"]
        drawn = {name: Weight(values.shape, _constant(values)) for name, values in ring.items()}
        return {"kernel": Weight((features, units), kernel)} | drawn | self._bias(units)

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        inputs = affine(cell, x)
        if self.normalize:
            scale = ops.exp(cell.gamma)
            inputs = inputs * ops.concatenate([scale, scale], axis=1)
        real, imaginary = ops.split(states[0], 2, axis=1)
        size, angle = ops.exp(-ops.exp(cell.nu)), ops.exp(cell.theta)
        across, along = size * ops.sin(angle), size * ops.cos(angle)
        turned = [along * real - across * imaginary, across * real + along * imaginary]
        return [ops.concatenate(turned, axis=1) + inputs]

    def recurrent_matrix(self, cell: Any) -> np.ndarray:
        """Return J_t^T, (H, H), whose eigenvalues are lambda and its conjugate."""
        eigenvalues = np.exp(-np.exp(cell.nu.numpy()[0]) + 1j * np.exp(cell.theta.numpy()[0]))
        real, imaginary = np.diag(eigenvalues.real), np.diag(eigenvalues.imag)
        return np.block([[real, imaginary], [-imaginary, real]])


def _constant(values: np.ndarray) -> Any:
    return lambda shape, dtype=None: values.astype(dtype)
