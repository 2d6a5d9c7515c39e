"""The cell of a run: arguments that are checked without TensorFlow, and the Keras cell made of them."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rnnexp.nn import activations
from rnnexp.nn.initializers import Initializer, PerBlock
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError, nearest

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Recipe(abc.ABC):
    """What a cell takes beside its size, activation and initialisers, from which `build` makes a fresh one.

    The recurrent kernel of a gated cell is (H, nH), n blocks side by side. The recurrent initialiser draws
    each block by itself, the candidate's as it would draw the kernel of an Elman cell. (Keras' own default is
    one orthogonal matrix (H, nH): its blocks are smaller by sqrt(n), so a gain of 1 / sqrt(n) is like it.)

    Args:
        use_bias: Whether there is a bias.

    Attributes:
        target: The constructor that the configuration names.
        blocks: Names of the blocks, in the order of Keras' columns: the gates and the candidate.
        candidate: The block whose activation is phi.
        states: Names of the states; the first is what the layer hands on.
    """

    target: ClassVar[str]
    blocks: ClassVar[tuple[str, ...]]
    candidate: ClassVar[str] = "h"
    states: ClassVar[tuple[str, ...]] = ("h",)

    use_bias: bool = True

    def __post_init__(self) -> None:
        checks.boolean("use_bias", self.use_bias)

    @abc.abstractmethod
    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new Keras cell.

        Args:
            units: H.
            activation: Name of phi.
            kernel: Initialiser of the kernel (F, nH), drawn as a whole.
            recurrent: Initialiser of every block (H, H) of the recurrent kernel.
            dtype: `"float32"` or `"float64"`.
        """

    @property
    def gated(self) -> bool:
        """Whether there are blocks beside the candidate."""
        return len(self.blocks) > 1

    def _arguments(self, **arguments: Any) -> dict[str, Any]:
        blocks = PerBlock(arguments.pop("recurrent"), len(self.blocks), self.blocks.index(self.candidate))
        return {**dataclasses.asdict(self), "recurrent_initializer": blocks, **arguments}


@dataclasses.dataclass(frozen=True)
class Elman(Recipe):
    """h_t = phi(W_xh^T x_t + W_hh^T h_{t-1} + b), `rnnexp.ElmanCell`."""

    target = "rnnexp.ElmanCell"
    blocks = ("h",)

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new `rnnexp.ElmanCell`."""
        from rnnexp.nn.elman_cell import ElmanCell

        return ElmanCell(
            units,
            activation,
            use_bias=self.use_bias,
            kernel_initializer=kernel,
            recurrent_initializer=recurrent,
            dtype=dtype,
        )


@dataclasses.dataclass(frozen=True)
class Lstm(Recipe):
    """The long short-term memory, `keras.layers.LSTMCell`.

        (a_i, a_f, a_c, a_o) = W^T x_t + R^T h_{t-1} + b
        c_t = sigma(a_f) c_{t-1} + sigma(a_i) phi(a_c)
        h_t = sigma(a_o) phi(c_t)

    Args:
        use_bias: Whether there is a b.
        unit_forget_bias: Whether the forget gate's bias starts at 1 and not at 0.
        recurrent_activation: Name of sigma.

    Source: Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735), with the forget gate
    of Gers, Schmidhuber and Cummins 2000 (https://doi.org/10.1162/089976600300015015) and its bias of 1 of
    Jozefowicz et al. 2015 (https://proceedings.mlr.press/v37/jozefowicz15.html).
    """

    target = "keras.layers.LSTMCell"
    blocks = ("i", "f", "c", "o")
    candidate = "c"
    states = ("h", "c")

    unit_forget_bias: bool = True
    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.boolean("unit_forget_bias", self.unit_forget_bias)
        checks.choice("recurrent_activation", self.recurrent_activation, activations.NAMES)

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new `keras.layers.LSTMCell`."""
        import keras

        arguments = self._arguments(recurrent=recurrent, kernel_initializer=kernel, dtype=dtype)
        return keras.layers.LSTMCell(units, activation, **arguments)


@dataclasses.dataclass(frozen=True)
class Gru(Recipe):
    """The gated recurrent unit, `keras.layers.GRUCell`.

        z = sigma(a_z),   r = sigma(a_r),   (a_z, a_r, p) = W^T x_t + b + (R_z, R_r, 0)^T h_{t-1}
        h_t = z h_{t-1} + (1 - z) phi(p + r (R_h^T h_{t-1} + b_R))

    Args:
        use_bias: Whether there are biases.
        reset_after: Whether r multiplies after the product, as above (cuDNN, PyTorch), or before it:
            phi(p + R_h^T (r h_{t-1})).
        recurrent_activation: Name of sigma.

    Source: Cho et al. 2014 (https://arxiv.org/abs/1406.1078).
    """

    target = "keras.layers.GRUCell"
    blocks = ("z", "r", "h")

    reset_after: bool = True
    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.boolean("reset_after", self.reset_after)
        checks.choice("recurrent_activation", self.recurrent_activation, activations.NAMES)

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new `keras.layers.GRUCell`."""
        import keras

        arguments = self._arguments(recurrent=recurrent, kernel_initializer=kernel, dtype=dtype)
        return keras.layers.GRUCell(units, activation, **arguments)


CATALOGUE: dict[str, type[Recipe]] = {"elman": Elman, "lstm": Lstm, "gru": Gru}
"""The recipes by their names in the configuration."""


def recipe(node: object) -> Recipe:
    """Return the recipe that the configuration's node `cell` describes.

    Args:
        node: `_target_` and the fields of the recipe with that target, all of them.

    Raises:
        ArgumentError: A field is missing, unknown or outside its domain; names the dotted key.
    """
    given = dict(node) if isinstance(node, Mapping) else {}
    by_target = {kind.target: kind for kind in CATALOGUE.values()}
    kind = by_target[checks.choice("cell._target_", given.pop("_target_", None), list(by_target))]
    names = [field.name for field in dataclasses.fields(kind)]
    for name in given.keys() - set(names):
        near = nearest(name, names) or ", ".join(names)
        raise ArgumentError(f"cell.{name}", f"a field of {kind.target}, such as {near}", given[name])
    for name in names:
        if name not in given:
            raise ArgumentError(f"cell.{name}", "a value", None)
    try:
        return kind(**given)
    except ArgumentError as error:
        raise ArgumentError(f"cell.{error.name}", error.expected, error.received) from None
