"""Regularizers: terms of the trained loss, or of its gradient, beside the loss of the task.

    trained loss L = mean_b l_b + R(weights, batch),   gradient = dL/dw + G(weights, dL/dh_t, delta_t)

Records, validations and floors use mean_b l_b, the task's own loss. Regularizers that ask for adjoints add G:
they treat the adjoints as constants, so that G is not the gradient of a loss. The clip is applied to the sum.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from rnnexp.nn.cells.spec import RECURRENT_KERNEL
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf


class Adjoints(NamedTuple):
    """The adjoints from the backward pass of L through time, (T, B, H) each; L is a mean over B samples.

    Attributes:
        states: g_t = dL/dh_t, t = 1 .. T.
        pre_activations: delta_t = dL/da_t = phi'(a_t) * g_t.
    """

    states: "tf.Tensor"
    pre_activations: "tf.Tensor"


class Regularizer:
    """A term R of the trained loss, or terms G of its gradient.

    Attributes:
        wants_adjoints: Whether `gradient_terms` is called. The cell must then run on the scan, which provides
            the adjoints (`rnnexp.nn.cells.spec.CellSpec.scanned`), and there may be one layer alone.
    """

    wants_adjoints: ClassVar[bool] = False

    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return R, a scalar of the weights' dtype, or None if there is none.

        It is called under the gradient tape, inside `tf.function`, with XLA or without. If a batch is
        differentiated in parts, it is called with each part, and R is the mean.

        Args:
            weights: The trainable weights of the network by their Keras paths, such as
                `recurrent/.../kernel`.
            x: The batch, (B, T, F).
            y: The targets.
        """
        return None

    def gradient_terms(
        self, weights: "Mapping[str, tf.Tensor]", adjoints: Adjoints
    ) -> "Mapping[str, tf.Tensor]":
        """Return G: the terms to add to the gradients, by the paths of the weights.

        It is called as `loss` is, after the backward pass.

        Args:
            weights: As for `loss`.
            adjoints: Of the trained loss, for the steps of the recurrent layer.
        """
        return {}


@dataclasses.dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """R = 0: only the loss of the task is trained."""


@dataclasses.dataclass(frozen=True)
class _Weighted(Regularizer):
    strength: float

    def __post_init__(self) -> None:
        checks.positive("strength", self.strength)


@dataclasses.dataclass(frozen=True)
class L2(_Weighted):
    """R = strength * sum_W ||W||_F^2 over all matrices: input, recurrent and readout, without biases.

    The gradient is 2 strength W.

    Args:
        strength: A finite number above 0.

    Raises:
        ArgumentError: `strength` is outside its domain.
    """

    strength: float = 1e-4

    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return R."""
        matrices = [weight for path, weight in weights.items() if path.endswith("kernel")]
        return self.strength * tf.add_n([tf.reduce_sum(tf.square(matrix)) for matrix in matrices])


@dataclasses.dataclass(frozen=True)
class Orthogonal(_Weighted):
    """R = strength * ||W^T W - I||_F^2, W = W_hh (H, H); the sum over layers, and blocks of a gated cell.

    The gradient is 4 strength W (W^T W - I); R is 0 for an orthogonal W alone.

    Args:
        strength: A finite number above 0.

    Raises:
        ArgumentError: `strength` is outside its domain.

    Source: Vorontsov et al. 2017, https://arxiv.org/abs/1702.00071, equation 8.
    """

    strength: float = 0.01

    def loss(self, weights: "Mapping[str, tf.Tensor]", x: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor | None":
        """Return R."""
        blocks = [
            block
            for path, kernel in weights.items()
            if path.endswith(RECURRENT_KERNEL)
            for block in tf.split(tf.convert_to_tensor(kernel), kernel.shape[1] // kernel.shape[0], axis=1)
        ]
        return self.strength * tf.add_n([_off_orthogonal(block) for block in blocks])


def _off_orthogonal(block: "tf.Tensor") -> "tf.Tensor":
    """Return ||W^T W - I||_F^2."""
    identity = tf.eye(block.shape[0], dtype=block.dtype)
    return tf.reduce_sum(tf.square(tf.matmul(block, block, transpose_a=True) - identity))


@dataclasses.dataclass(frozen=True)
class Omega(_Weighted):
    """G = strength * dOmega/dW_hh: pulls the recurrent kernel towards preserving the norm of the gradient.

        Omega = sum_t mean_b o_tb / sum_t mean_b l_tb,   o_tb = l_tb (||W_hh delta_tb||^2 / ||g_tb||^2 - 1)^2

    with l_tb = 1 where ||g_tb||^2 >= 1e-20 and 0 elsewhere, g_t = dL/dh_t, t = 1 .. T. W_hh delta_t is what
    step t sends to h_{t-1}. States and g_t are held constant, so that W_hh alone has a gradient:

        dOmega/dW_hh = sum_tb 4 l_tb (||v_tb||^2 - 1) v_tb e_tb^T / sum_tb l_tb

    with e = delta / ||g|| and v = W_hh e; 0 where no term is live.

    Args:
        strength: A finite number above 0.

    Raises:
        ArgumentError: `strength` is outside its domain.

    Source: Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063, equations 9 and 10; the share
    of live terms is that of their code.
    """

    wants_adjoints = True

    strength: float = 2.0

    def gradient_terms(
        self, weights: "Mapping[str, tf.Tensor]", adjoints: Adjoints
    ) -> "Mapping[str, tf.Tensor]":
        """Return the term of W_hh."""
        (path,) = (path for path in weights if path.endswith(RECURRENT_KERNEL))
        kernel = tf.convert_to_tensor(weights[path])
        # The squares of a float32 fit into a float64.
        squares = tf.reduce_sum(tf.square(tf.cast(adjoints.states, tf.float64)), axis=2, keepdims=True)
        dead = squares < _LEAST_SQUARE  # false for nan, so that nan shows in the result
        deltas = tf.cast(adjoints.pre_activations, tf.float64)
        norms = tf.sqrt(tf.where(dead, tf.ones_like(squares), squares))
        units = tf.cast(tf.where(dead, tf.zeros_like(deltas), deltas / norms), kernel.dtype)
        sent = tf.tensordot(units, kernel, axes=[[2], [1]])
        pulls = (tf.reduce_sum(tf.square(sent), axis=2, keepdims=True) - 1) * sent
        live = tf.reduce_sum(tf.cast(tf.logical_not(dead), kernel.dtype))
        gradient = tf.tensordot(pulls, units, axes=[[0, 1], [0, 1]])
        return {path: 4 * self.strength * gradient / tf.maximum(live, 1)}


_LEAST_SQUARE = 1e-20
"""||dL/dh_t||^2 of a sample below this is rounding error."""


CATALOGUE: dict[str, type[Regularizer]] = {
    "none": NoRegularizer,
    "l2": L2,
    "orthogonal": Orthogonal,
    "omega": Omega,
}
"""The regularizers by their names in the configuration."""
