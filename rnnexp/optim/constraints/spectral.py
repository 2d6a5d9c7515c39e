"""A recurrent kernel whose spectral radius, or whose largest singular value, stays below a limit."""

import dataclasses
from collections.abc import Mapping, Sequence

from rnnexp.nn.cells.spec import CellSpec
from rnnexp.nn.initializers import Initializer
from rnnexp.optim.constraints.base import (
    Bound,
    Constraint,
    blocks_of,
    check_square,
    recurrent_kernels,
    side_by_side,
)
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import keras, tf

_SQUARINGS = 12


@dataclasses.dataclass(frozen=True)
class Spectral(Constraint):
    """W_hh <- W_hh * min(1, limit / r) after every update, r the norm or the spectral radius of W_hh.

    The norm is sigma_max, the largest singular value, and the radius rho the largest |eigenvalue|; rho is at
    most sigma_max. A step of back-propagation hands on at most sup|phi'| sigma_max, so that a norm below
    1 / sup|phi'| makes the gradient vanish for certain, and rules out that it explodes. Of a gated cell each
    block is a W_hh by itself.

    r is computed as ||W^k||_F^(1/k), k = 4096, which is at least rho and above it by a share of about
    ln(H) / k: what is limited ends that little below the limit.

    Args:
        limit: Of r, a finite number above 0.
        of: `"norm"` or `"radius"`.

    Raises:
        ArgumentError: An argument is outside its domain.

    Sources: Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063, section 2, for the bound;
    Gelfand 1941 for the limit.
    """

    limit: float = 1.0
    of: str = "norm"

    def __post_init__(self) -> None:
        checks.positive("limit", self.limit)
        checks.choice("of", self.of, ("norm", "radius"))

    def check(self, cell: CellSpec, initializer: Initializer, units: int) -> None:
        """Check that the recurrent kernel has square blocks."""
        check_square("spectral", cell)

    def bind(self, weights: "Sequence[keras.Variable]", time_steps: int) -> Bound:
        """Return the weights of a network, which has to have a recurrent kernel, under this constraint."""
        recurrent_kernels({weight.path: weight for weight in weights})
        return super().bind(weights, time_steps)

    def project(self, weights: "Mapping[str, tf.Tensor]", time_steps: int) -> "Mapping[str, tf.Tensor]":
        """Return the kernel of every recurrent layer within the limit."""
        return {path: self._limited(kernel) for path, kernel in recurrent_kernels(weights).items()}

    def _limited(self, kernel: "tf.Tensor") -> "tf.Tensor":
        blocks = blocks_of(tf.convert_to_tensor(kernel))
        if self.of == "norm":
            size = tf.sqrt(_radius(tf.matmul(blocks, blocks, transpose_a=True)))
        else:
            size = _radius(blocks)
        limited = blocks * (self.limit / tf.maximum(size, self.limit))
        return side_by_side(limited, kernel.dtype)


def _radius(matrices: "tf.Tensor") -> "tf.Tensor":
    """Return ||M^k||_F^(1/k), k = 2^12, of matrices (n, H, H), as (n, 1, 1): M is squared 12 times.

    The norm is taken out before every product, so that nothing overflows.
    """
    logarithm = tf.zeros((matrices.shape[0], 1, 1), matrices.dtype)
    power = matrices
    for doubled in range(_SQUARINGS + 1):
        norm = tf.norm(power, axis=(1, 2), keepdims=True)
        logarithm += tf.math.log(norm) / 2**doubled
        scaled = power / tf.where(norm > 0, norm, tf.ones_like(norm))
        power = tf.matmul(scaled, scaled)
    return tf.exp(logarithm)
