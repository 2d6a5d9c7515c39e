"""Schedules: the learning rate as a function of the updates that were taken, k = 0, 1, ...

`rate` stands for `optimizer.learning_rate`, which a schedule multiplies. The optimizer counts its updates,
and a checkpoint keeps that count; an update that a clip skips is none.
"""

import abc
import dataclasses
from typing import TYPE_CHECKING

from rnnexp.runtime import checks
from rnnexp.runtime.deferred import keras

if TYPE_CHECKING:
    from keras.optimizers.schedules import LearningRateSchedule


class Schedule(abc.ABC):
    """The learning rate over a training."""

    @abc.abstractmethod
    def build(self, learning_rate: float, train_steps: int) -> "LearningRateSchedule | None":
        """Return what takes the place of the optimizer's learning rate; None: it stays what it is.

        Args:
            learning_rate: That of the optimizer.
            train_steps: Updates of the whole training.
        """


@dataclasses.dataclass(frozen=True)
class NoSchedule(Schedule):
    """rate_k = rate."""

    def build(self, learning_rate: float, train_steps: int) -> "LearningRateSchedule | None":
        """Return None."""
        return None


@dataclasses.dataclass(frozen=True)
class Staircase(Schedule):
    """rate_k = rate * factor^floor(k / every).

    Args:
        every: Updates between two falls, at least 1.
        factor: By which the rate falls, a finite number above 0.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: IndRNN's adding problem (Li et al. 2018, https://arxiv.org/abs/1803.04831) takes a factor of 0.1
    every 20,000 updates.
    """

    every: int = 2000
    factor: float = 0.1

    def __post_init__(self) -> None:
        checks.integer("every", self.every, minimum=1)
        checks.positive("factor", self.factor)

    def build(self, learning_rate: float, train_steps: int) -> "LearningRateSchedule":
        """Return `keras.optimizers.schedules.ExponentialDecay` in steps."""
        return keras.optimizers.schedules.ExponentialDecay(
            float(learning_rate), self.every, float(self.factor), staircase=True
        )


@dataclasses.dataclass(frozen=True)
class Cosine(Schedule):
    """rate_k = rate * (final + (1 - final) * (1 + cos(pi k / K)) / 2), K the updates of the whole training.

    Args:
        final: What is left of the rate at the end, in [0, 1).

    Raises:
        ArgumentError: `final` is outside its domain.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without restarts.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        checks.fraction("final", self.final)

    def build(self, learning_rate: float, train_steps: int) -> "LearningRateSchedule":
        """Return `keras.optimizers.schedules.CosineDecay`."""
        steps = max(train_steps, 1)  # of a run that only looks at the start
        return keras.optimizers.schedules.CosineDecay(float(learning_rate), steps, alpha=float(self.final))


@dataclasses.dataclass(frozen=True)
class Warmup(Schedule):
    """rate_k = rate * min(1, (k + 1) / over): it rises from update to update, and then stays.

    Args:
        over: Updates until the whole rate is reached, at least 2.

    Raises:
        ArgumentError: `over` is outside its domain.

    Source: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 2.2.
    """

    over: int = 500

    def __post_init__(self) -> None:
        checks.integer("over", self.over, minimum=2)

    def build(self, learning_rate: float, train_steps: int) -> "LearningRateSchedule":
        """Return `keras.optimizers.schedules.PolynomialDecay` of degree 1, from the first rate on."""
        first = learning_rate / self.over
        return keras.optimizers.schedules.PolynomialDecay(first, self.over - 1, float(learning_rate))


CATALOGUE: dict[str, type[Schedule]] = {
    "none": NoSchedule,
    "staircase": Staircase,
    "cosine": Cosine,
    "warmup": Warmup,
}
"""The schedules by their names in the configuration."""
