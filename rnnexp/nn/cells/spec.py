"""The spec of a cell: arguments that are checked without TensorFlow, and what is known of its derivatives."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from rnnexp.nn import activations
from rnnexp.nn.gate_biases import GateBiases
from rnnexp.nn.initializers import Initializer, PerBlock
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import keras, ops, tf

if TYPE_CHECKING:
    import numpy as np


RECURRENT_KERNEL = "/recurrent_kernel"
"""How the Keras path of W_hh ends."""


class Units(NamedTuple):
    """Slopes and pre-activations of a cell's units along a trajectory, as tensors or arrays.

    Attributes:
        slopes: phi'(a_t) or, for gates, sigma'(a_t), of the M units whose saturation is counted, (T, B, M).
        pre_activations: a_t, (T, B, H), if every unit has one; else None.
        input_variance: mean (W_xh^T x_t + b)^2 over steps, samples and units, for laws of theory; or None.
    """

    slopes: Any
    pre_activations: Any = None
    input_variance: Any = None


class Weight(NamedTuple):
    """A weight of a cell.

    Attributes:
        shape: Its shape.
        initializer: What draws it: a function of shape and dtype, or the name of one of Keras'.
    """

    shape: tuple[int, ...]
    initializer: Any


class Factored(NamedTuple):
    """A closed form of the first derivatives of a cell with one state, h_t = phi(a_t).

        dh_t/dh_{t-1} = diag(slopes_t) kernel^T,   dh_t/dx_t = diag(slopes_t) input_kernel^T

    Attributes:
        slopes: phi'(a_t), (T, B, H).
        kernel: The recurrent kernel, (H, H), in a_t = kernel^T h_{t-1} + ...
        input_kernel: (F, H).
    """

    slopes: "np.ndarray"
    kernel: "np.ndarray"
    input_kernel: "np.ndarray"


@dataclasses.dataclass(frozen=True)
class CellSpec(abc.ABC):
    """The arguments of a cell beside size, activation and initialisers, and what is known of the cell.

    A run measures every cell by automatic differentiation of its step. A spec may offer a closed form
    (`factored`) and name laws of theory that apply (`laws`); without them nothing is assumed.

    The recurrent kernel of a gated cell is (H, nH), n blocks side by side. The recurrent initialiser draws
    each block by itself, the candidate's as it would draw the kernel of an Elman cell. (Keras' own default is
    one orthogonal matrix (H, nH): its blocks are smaller by sqrt(n), so a gain of 1 / sqrt(n) is like it.)

    Args:
        use_bias: Whether there is a bias.

    Attributes:
        target: The constructor that the configuration names.
        blocks: Names of the blocks, in the order of Keras' columns: the gates and the candidate.
        candidate: The block whose activation is phi.
        states: Names of the states, matrices (B, n) of any widths; the first is the output of the layer.
        laws: The modules of `rnnexp.theory` whose laws apply to this cell.
        scanned: Whether `rnnexp.RNN` runs the cell on its own scan, and not in Keras' loop.
        has_recurrent_kernel: Whether it has a weight of that name, which takes the states before.
        stackable: Whether a layer of the cell can read the states of another one of it.
        read_through_activation: Whether the recurrence is linear and phi is applied by what reads the states,
            y_t = W_hy^T phi(h_t) + c.
    """

    target: ClassVar[str]
    blocks: ClassVar[tuple[str, ...]] = ("h",)
    candidate: ClassVar[str] = "h"
    states: ClassVar[tuple[str, ...]] = ("h",)
    laws: ClassVar[frozenset[str]] = frozenset()
    scanned: ClassVar[bool] = False
    has_recurrent_kernel: ClassVar[bool] = True
    stackable: ClassVar[bool] = True
    read_through_activation: ClassVar[bool] = False

    use_bias: bool = True

    def __post_init__(self) -> None:
        checks.boolean("use_bias", self.use_bias)

    def check_size(self, units: int, features: int) -> None:
        """Check that the cell can have H units over inputs of F features.

        Raises:
            ArgumentError: `units`, H, does not fit.
        """
        return None

    @property
    def gates(self) -> tuple[str, ...]:
        """The blocks beside the candidate."""
        return tuple(block for block in self.blocks if block != self.candidate)

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new Keras cell; by default one that takes the `step` of this spec.

        Args:
            units: H.
            activation: Name of phi.
            kernel: Initialiser of the kernel (F, nH), drawn as a whole.
            recurrent: Initialiser of every block (H, H) of the recurrent kernel.
            dtype: `"float32"` or `"float64"`.
        """
        from rnnexp.nn.step_cell import StepCell

        return StepCell(
            units,
            activations.by_name(activation),
            self,
            kernel_initializer=kernel,
            recurrent_initializer=self.per_block(recurrent),
            dtype=dtype,
        )

    def weights(self, units: int, features: int, kernel: Any, recurrent: Any) -> dict[str, Weight]:
        """Return the weights of a cell that takes the `step` of this spec, by their names.

        Args:
            units: H.
            features: F.
            kernel: Initialiser of the kernel.
            recurrent: Initialiser of the recurrent kernel as a whole.
        """
        columns = len(self.blocks) * units
        found = {
            "kernel": Weight((features, columns), kernel),
            "recurrent_kernel": Weight((units, columns), recurrent),
        }
        return found | self._bias(columns)

    def _bias(self, columns: int) -> dict[str, Weight]:
        return {"bias": Weight((columns,), "zeros")} if self.use_bias else {}

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return the states after one step, h first.

        Args:
            cell: Holds the `weights` under their names, `bias` (None without one), and `activation`.
            x: x_t, (B, F).
            states: Those before the step, each (B, n).
        """
        raise NotImplementedError(f"{type(self).__name__} has neither a step nor a build of its own")

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor | None":
        """Return a_t, (..., H), if the cell applies phi to one of every unit; else None.

        Args:
            cell: The Keras cell.
            x: x_t, (..., F).
            before: S_{t-1}, all states side by side, (..., N).
        """
        return None

    def units(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> Units | None:
        """Return slopes and pre-activations, inside a graph; None if saturation has no meaning for the cell.

        By default these are phi'(a_t) and a_t of `pre_activation`.

        Args:
            cell: The Keras cell.
            x: The inputs, (T, B, F).
            before: S_{t-1} of every step t, all states side by side, (T, B, N).
        """
        pre_activations = self.pre_activation(cell, x, before)
        if pre_activations is None:
            return None
        slopes = activations.slope(cell.activation, pre_activations)
        input_variance = tf.reduce_mean(tf.square(affine(cell, x))) if self.laws else None
        return Units(where_finite(slopes, pre_activations), pre_activations, input_variance)

    def factored(self, cell: Any, units: Units | None) -> Factored | None:
        """Return the derivatives in closed form, for the present weights of `cell`; None if there is none."""
        return None

    def recurrent_matrix(self, cell: Any) -> "np.ndarray | None":
        """Return the matrix whose spectrum is measured: W_hh (H, H), or its candidate's block; or None."""
        kernel = getattr(cell, "recurrent_kernel", None)
        if kernel is None:
            return None
        width = kernel.shape[1] // len(self.blocks)
        place = self.blocks.index(self.candidate)
        return kernel.numpy()[:, place * width : (place + 1) * width]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as Keras saves them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the spec with these arguments."""
        return cls(**config)

    def per_block(self, recurrent: Initializer) -> Initializer:
        """Return the initialiser of the whole recurrent kernel, (H, nH), from that of a block."""
        return PerBlock(recurrent, len(self.blocks), self.blocks.index(self.candidate))


def affine(cell: Any, x: "tf.Tensor") -> "tf.Tensor":
    """Return W_xh^T x + b of inputs (..., F)."""
    projected = ops.matmul(x, cell.kernel)
    return projected if cell.bias is None else projected + cell.bias


def check_chrono(chrono: int | None, use_bias: bool, biases: Mapping[str, float | None]) -> None:
    """Check the T_max of a chrono initialisation, and that it is alone.

    Args:
        chrono: T_max; None: no such initialisation.
        use_bias: Whether there are biases.
        biases: What it takes the place of, by the names of arguments; None and 0 are nothing.

    Raises:
        ArgumentError: It is no integer of at least 3, or there is something in its place.
    """
    if chrono is None:
        return
    checks.integer("chrono", chrono, 3)
    if not use_bias:
        raise checks.ArgumentError("use_bias", "true, as chrono sets biases", use_bias)
    for name, value in biases.items():
        if value:
            raise checks.ArgumentError(name, "nothing beside chrono, which sets this bias", value)


@dataclasses.dataclass(frozen=True)
class GatedCell(CellSpec):
    """A gated cell of Keras: `target` names its class."""

    @abc.abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of that class beside size, activation and initialisers."""

    @abc.abstractmethod
    def biases(self, seed: int) -> GateBiases:
        """Return the initialiser of the biases, in the order of the blocks."""

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new cell of that class."""
        return getattr(keras.layers, self.target.removeprefix("keras.layers."))(
            units,
            activations.by_name(activation),
            **self.arguments(),
            kernel_initializer=kernel,
            recurrent_initializer=self.per_block(recurrent),
            bias_initializer=self.biases(recurrent.seed),
            dtype=dtype,
        )

    def units(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> Units:
        """Return sigma' of every unit of every gate: below 0.01 the gate stays open or shut."""
        h = before[..., : cell.units]
        pre_activations = tf.matmul(x, cell.kernel) + tf.matmul(h, cell.recurrent_kernel)
        if cell.bias is not None:
            # The bias of a GRU has two rows, which add up.
            pre_activations += tf.reduce_sum(tf.reshape(cell.bias, (-1, cell.kernel.shape[1])), axis=0)
        each = zip(self.blocks, tf.split(pre_activations, len(self.blocks), axis=2), strict=True)
        gates = tf.concat([a for name, a in each if name in self.gates], axis=2)
        return Units(where_finite(activations.slope(cell.recurrent_activation, gates), gates))


def where_finite(slopes: "tf.Tensor", pre_activations: "tf.Tensor") -> "tf.Tensor":
    """Return the slopes, nan where the pre-activation is not finite.

    Some activations return a finite slope at nan, but a unit without a finite state is neither saturated nor
    dead.
    """
    return tf.where(tf.math.is_finite(pre_activations), slopes, float("nan"))
