"""Constraints: sets in which weights stay, whatever the optimizer does.

    w <- project(update(w, clip(dL/dw)))

or, where a set has coordinates, w = f(a), and the optimizer trains a by dL/da = (df/da)^T clip(dL/dw).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rnnexp.nn.cells.spec import RECURRENT_KERNEL, CellSpec
from rnnexp.nn.initializers import Initializer
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import keras, tf


class Bound:
    """The weights of one network under a constraint.

    Args:
        weights: All trainable ones.
        project: From the weights by their paths, after an update, to the new values of those that it moves.

    Attributes:
        trained: What the optimizer is built on and updates, in the order of `weights`: the weights, or
            coordinates in place of one.
        state: Further variables, which a checkpoint holds.
    """

    def __init__(
        self,
        weights: "Sequence[keras.Variable]",
        project: "Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]",
    ):
        self.trained: list[Any] = list(weights)
        self.state: list[Any] = []
        self._weights = {weight.path: weight for weight in weights}
        self._project = project

    def restart(self) -> None:
        """Begin at the weights as they are now; by default nothing has to be done."""
        return None

    def update(self, gradients: "Sequence[tf.Tensor]", optimizer: "keras.optimizers.Optimizer") -> None:
        """Take one update of the optimizer, traced into a graph, with gradients by the weights."""
        optimizer.apply(gradients, self.trained)
        for path, value in self._project(self._weights).items():
            self._weights[path].assign(value)


class Constraint:
    """A set in which weights stay. One of a user's own overrides `project`, or `bind` for coordinates."""

    def check(self, cell: CellSpec, initializer: Initializer, units: int) -> None:
        """Check that it fits the run, before TensorFlow is imported.

        Raises:
            ArgumentError: It does not.
        """
        return None

    def project(self, weights: "Mapping[str, tf.Tensor]", time_steps: int) -> "Mapping[str, tf.Tensor]":
        """Return new values of the weights at these paths, after an update; by default of none.

        It runs inside `tf.function`, with XLA or without.

        Args:
            weights: The trainable weights by their Keras paths, `recurrent/.../recurrent_kernel` say.
            time_steps: T.
        """
        return {}

    def bind(self, weights: "Sequence[keras.Variable]", time_steps: int) -> Bound:
        """Return the weights of a network under this constraint.

        Raises:
            ArgumentError: The network has no weights for it.
        """
        return Bound(weights, functools.partial(self.project, time_steps=time_steps))


@dataclasses.dataclass(frozen=True)
class NoConstraint(Constraint):
    """Weights go where the optimizer takes them."""


def check_square(constraint: str, cell: CellSpec) -> None:
    """Raise ArgumentError unless the recurrent kernel of the cell is made of blocks (H, H)."""
    if not cell.has_recurrent_kernel or type(cell).recurrent_matrix is not CellSpec.recurrent_matrix:
        expected = f"a cell with recurrent matrices (H, H) for constraint={constraint}, such as cell=elman"
        raise ArgumentError("cell", expected, type(cell).__name__)


def recurrent_kernels(weights: "Mapping[str, Any]") -> "dict[str, Any]":
    """Return W_hh of every recurrent layer by its path.

    Raises:
        ArgumentError: There is none, or one that is not made of blocks (H, H).
    """
    found = {path: weight for path, weight in weights.items() if path.endswith(RECURRENT_KERNEL)}
    shapes = {path: tuple(weight.shape) for path, weight in found.items()}
    if not found or any(len(shape) != 2 or shape[1] % shape[0] for shape in shapes.values()):
        raise ArgumentError("constraint", "none for a cell without recurrent matrices (H, H)", shapes)
    return found


def blocks_of(kernel: "tf.Tensor") -> "tf.Tensor":
    """Return the blocks of a kernel (H, nH), float64 (n, H, H)."""
    units, columns = kernel.shape
    parts = tf.split(tf.cast(kernel, tf.float64), columns // units, axis=1)
    return tf.stack(parts)


def side_by_side(blocks: "tf.Tensor", dtype: str) -> "tf.Tensor":
    """Return the kernel (H, nH) of blocks (n, H, H)."""
    return tf.cast(tf.concat(tf.unstack(blocks), axis=1), dtype)
