"""Update rules: hyper-parameters that are checked without TensorFlow, and the Keras optimizers made of them.

In the equations w is a weight, g its gradient and k = 1, 2, ... the update; every state starts at 0.
"""

import abc
import dataclasses
from typing import ClassVar

from rnnexp.runtime import checks
from rnnexp.runtime.deferred import keras


@dataclasses.dataclass(frozen=True)
class Optimizer(abc.ABC):
    """Hyper-parameters of an update rule, from which `build` makes a fresh Keras optimizer."""

    learning_rate: float = 1e-3

    @abc.abstractmethod
    def build(self) -> "keras.optimizers.Optimizer":
        """Return a new Keras optimizer with these hyper-parameters, without clipping of its own."""


@dataclasses.dataclass(frozen=True)
class _OfKeras(Optimizer):
    """An optimizer of Keras, of the class `kind`, which takes the fields as its arguments."""

    kind: ClassVar[str]

    def build(self) -> "keras.optimizers.Optimizer":
        """Return a new optimizer of that class."""
        # Keras refuses a momentum that is the integer 0, which a configuration may well hold.
        arguments = {
            name: value if isinstance(value, bool) else float(value)
            for name, value in dataclasses.asdict(self).items()
        }
        return getattr(keras.optimizers, self.kind)(**arguments)


@dataclasses.dataclass(frozen=True)
class Sgd(_OfKeras):
    """v <- momentum * v - learning_rate * g, then w <- w + v; plain descent where the momentum is 0.

    With `nesterov` the weight takes the step after: w <- w + momentum * v - learning_rate * g.
    Without momentum `nesterov` changes nothing.

    Args:
        learning_rate: A finite number above 0.
        momentum: In [0, 1).
        nesterov: Whether to look ahead.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html.
    """

    kind = "SGD"

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        checks.positive("learning_rate", self.learning_rate)
        checks.fraction("momentum", self.momentum)
        checks.boolean("nesterov", self.nesterov)


@dataclasses.dataclass(frozen=True)
class RmsProp(_OfKeras):
    """s <- rho * s + (1 - rho) * g^2, then w <- w - learning_rate * g / sqrt(s + epsilon).

    With momentum: v <- momentum * v + learning_rate * g / sqrt(s + epsilon), then w <- w - v.
    `epsilon` stands inside the root, so a gradient far below sqrt(epsilon) (3e-4 by default) is not brought
    up to the size of the others: a vanished gradient gives a vanished step.

    Args:
        learning_rate: A finite number above 0.
        rho: In [0, 1).
        epsilon: A finite number above 0.
        momentum: In [0, 1).

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Tieleman and Hinton 2012, https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf.
    """

    kind = "RMSprop"

    learning_rate: float = 1e-3
    rho: float = 0.9
    epsilon: float = 1e-7
    momentum: float = 0.0

    def __post_init__(self) -> None:
        checks.positive("learning_rate", self.learning_rate)
        checks.fraction("rho", self.rho)
        checks.positive("epsilon", self.epsilon)
        checks.fraction("momentum", self.momentum)


@dataclasses.dataclass(frozen=True)
class Adam(_OfKeras):
    """w <- w - alpha_k * m / (sqrt(v) + epsilon), with moments m and v of the gradient.

    m <- beta_1 * m + (1 - beta_1) * g and v <- beta_2 * v + (1 - beta_2) * g^2 come first; their start at 0
    is made up for by alpha_k = learning_rate * sqrt(1 - beta_2^k) / (1 - beta_1^k).
    `epsilon` is the "epsilon hat" of the paper, added before the correction of v's bias.

    Args:
        learning_rate: A finite number above 0.
        beta_1: In [0, 1).
        beta_2: In [0, 1).
        epsilon: A finite number above 0.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, the form before section 2.1.
    """

    kind = "Adam"

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        checks.positive("learning_rate", self.learning_rate)
        checks.fraction("beta_1", self.beta_1)
        checks.fraction("beta_2", self.beta_2)
        checks.positive("epsilon", self.epsilon)


CATALOGUE: dict[str, type[Optimizer]] = {"sgd": Sgd, "rmsprop": RmsProp, "adam": Adam}
"""The optimizers by their names in the configuration."""
