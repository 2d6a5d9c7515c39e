"""An orthogonal recurrent kernel, by the exponential of a skew matrix that is trained in its place."""

import dataclasses
from collections.abc import Sequence

import numpy as np

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

_SQUARINGS, _ORDER = 8, 8
"""exp(X) = p(X / 2^8)^(2^8), p the Taylor polynomial of order 8: to 1e-8 for ||X||_2 up to 64."""


@dataclasses.dataclass(frozen=True)
class Orthogonal(Constraint):
    """W_hh = W_0 exp(A - A^T): the optimizer trains A, from 0 on, and W_hh stays orthogonal.

    dL/dA is made of the clipped dL/dW_hh. A moves by `rate` times what the optimizer would move it: its
    learning rate is `rate` times that of the other weights. W_0 is where W_hh starts, which has to be
    orthogonal; after a phase before the task, the nearest orthogonal matrix. Of a gated cell each block is a
    W_hh by itself. exp is computed in float64.

    Args:
        rate: Of A, as a share of the optimizer's learning rate, a finite number above 0.

    Raises:
        ArgumentError: `rate` is outside its domain.

    Source: Lezcano-Casado and Martinez-Rubio 2019, https://arxiv.org/abs/1901.08428, with the ten times
    smaller rate of their code, https://github.com/Lezcano/expRNN.
    """

    rate: float = 0.1

    def __post_init__(self) -> None:
        checks.positive("rate", self.rate)

    def check(self, cell: CellSpec, initializer: Initializer, units: int) -> None:
        """Check that the recurrent kernel has square blocks and starts orthogonal."""
        check_square("orthogonal", cell)
        kernel = np.asarray(initializer((units, units), "float64"))
        if not np.allclose(kernel.T @ kernel, np.eye(units), atol=1e-6):
            expected = "orthogonal or identity, with init.gain=1, where constraint=orthogonal begins"
            raise checks.ArgumentError("init", expected, initializer)

    def bind(self, weights: "Sequence[keras.Variable]", time_steps: int) -> Bound:
        """Return the weights with A in place of W_hh."""
        return _Exponential(weights, self.rate)


class _Exponential(Bound):
    """The weights of a network, every W_hh of which is W_0 exp(A - A^T)."""

    def __init__(self, weights: "Sequence[keras.Variable]", rate: float):
        super().__init__(weights, lambda weights: {})
        paths = [weight.path for weight in weights]
        kernels = recurrent_kernels(self._weights)
        self._turned = {paths.index(path): _Turned(kernel, rate) for path, kernel in kernels.items()}
        for place, turned in self._turned.items():
            self.trained[place] = turned.skew
        self.state = [variable for turned in self._turned.values() for variable in turned.state]

    def restart(self) -> None:
        """Put the nearest orthogonal matrix, U V^T of U S V^T, for W_hh and W_0, and 0 for A."""
        for turned in self._turned.values():
            turned.restart()

    def update(self, gradients: "Sequence[tf.Tensor]", optimizer: "keras.optimizers.Optimizer") -> None:
        """Take one update of the optimizer on A and the other weights, and set W_hh."""
        pulled = list(gradients)
        for place, turned in self._turned.items():
            pulled[place] = turned.pulled(gradients[place])
        before = [tf.convert_to_tensor(turned.skew) for turned in self._turned.values()]
        optimizer.apply(pulled, self.trained)
        for skew, turned in zip(before, self._turned.values(), strict=True):
            turned.move(skew)


class _Turned:
    """One recurrent kernel, W_0 exp(A - A^T).

    Attributes:
        skew: A, (n, H, H).
        state: A and W_0.
    """

    def __init__(self, kernel: "keras.Variable", rate: float):
        self._kernel, self._rate = kernel, rate
        start = blocks_of(tf.convert_to_tensor(kernel))
        self._origin = tf.Variable(start, trainable=False)
        self.skew = keras.Variable(np.zeros(start.shape), dtype=kernel.dtype, name="skew")
        self.state = [self.skew, self._origin]

    def restart(self) -> None:
        """Begin at the nearest orthogonal matrix, with A = 0."""
        left, _, right = np.linalg.svd(blocks_of(tf.convert_to_tensor(self._kernel)).numpy())
        self._origin.assign(left @ right)
        self.skew.assign(np.zeros(self.skew.shape))
        self._kernel.assign(side_by_side(self._origin, self._kernel.dtype))

    def pulled(self, gradient: "tf.Tensor") -> "tf.Tensor":
        """Return the gradient by A from that by W_hh."""
        skew = tf.convert_to_tensor(self.skew)
        with tf.GradientTape() as tape:
            tape.watch(skew)
            kernel = self._of(skew)
        return tape.gradient(kernel, skew, output_gradients=gradient)

    def move(self, before: "tf.Tensor") -> None:
        """Take a part of the way that the optimizer moved A from `before`, and set W_hh."""
        after = before + self._rate * (tf.convert_to_tensor(self.skew) - before)
        self.skew.assign(after)
        self._kernel.assign(self._of(after))

    def _of(self, skew: "tf.Tensor") -> "tf.Tensor":
        """Return W_hh (H, nH) from A (n, H, H)."""
        half = tf.cast(skew, tf.float64)
        turned = _exponential(half - tf.linalg.matrix_transpose(half))
        return side_by_side(tf.matmul(self._origin, turned), self._kernel.dtype)


def _exponential(matrices: "tf.Tensor") -> "tf.Tensor":
    """Return exp of matrices (n, H, H), float64, by products alone, which are differentiated as such."""
    small = matrices / 2**_SQUARINGS
    identity = tf.eye(matrices.shape[-1], dtype=matrices.dtype)
    result = identity
    for order in range(_ORDER, 0, -1):
        result = identity + tf.matmul(small, result) / order
    for _ in range(_SQUARINGS):
        result = tf.matmul(result, result)
    return result
