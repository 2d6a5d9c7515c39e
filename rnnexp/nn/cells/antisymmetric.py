"""The antisymmetric cell."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnexp.nn.cells.spec import CellSpec, affine
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class AntisymmetricRnn(CellSpec):
    """h_t = h_{t-1} + eps phi(a_t),   a_t = W_xh^T x_t + M^T h_{t-1} + b,   M = W - W^T - gamma I.

        J_t = dh_t/dh_{t-1} = I + eps diag(phi'(a_t)) M^T

    A step of Euler's method, of size eps, along dh/dt = phi(a). W - W^T has imaginary eigenvalues alone, so
    without diffusion, gamma = 0, nothing grows or decays to first order in eps. The weight W (H, H) is the
    `recurrent_kernel`; the spectrum that is shown is that of M.

    Args:
        use_bias: Whether there is a b.
        eps: The size of a step, a finite number above 0.
        gamma: The diffusion, at least 0, which damps what Euler's method lets grow.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Chang et al. 2019 (https://arxiv.org/abs/1902.09689).
    """

    target = "rnnexp.nn.cells.antisymmetric.AntisymmetricRnn"

    eps: float = 0.01
    gamma: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.positive("eps", self.eps)
        checks.non_negative("gamma", self.gamma)

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        (before,) = states
        return [before + self.eps * cell.activation(self.pre_activation(cell, x, before))]

    def recurrent_matrix(self, cell: Any) -> np.ndarray:
        """Return M, (H, H)."""
        kernel = cell.recurrent_kernel.numpy()
        return kernel - kernel.T - self.gamma * np.eye(len(kernel), dtype=kernel.dtype)

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        kernel = cell.recurrent_kernel - ops.transpose(cell.recurrent_kernel)
        return affine(cell, x) + ops.matmul(before, kernel) - self.gamma * before
