"""A callback that looks at the gradient over time while a model trains."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from rnnexp.diagnosis.keras_models.gradient_flow import gradient_flow
from rnnexp.diagnosis.keras_models.result import GradientFlow
from rnnexp.diagnosis.keras_models.writers import Writer
from rnnexp.runtime import checks


@dataclasses.dataclass(frozen=True)
class Batches:
    """At every n-th update, counted over all epochs and calls of `fit`.

    With `steps_per_execution` > 1, after the execution in which the update lies.

    Args:
        n: Number of updates between two looks.

    Raises:
        ArgumentError: `n` is not an integer of at least 1.
    """

    n: int

    def __post_init__(self):
        """Check `n`."""
        checks.integer("n", self.n, minimum=1)


@dataclasses.dataclass(frozen=True)
class Epochs:
    """At the end of every n-th epoch.

    Args:
        n: Number of epochs between two looks.

    Raises:
        ArgumentError: `n` is not an integer of at least 1.
    """

    n: int = 1

    def __post_init__(self):
        """Check `n`."""
        checks.integer("n", self.n, minimum=1)


class Look(NamedTuple):
    """What was found after `step` updates, in the epoch of that number."""

    step: int
    epoch: int
    flow: GradientFlow


class GradientFlowMonitor(keras.callbacks.Callback):
    """Measure the gradient at every time step of a model at intervals during `fit`.

    The first look is taken before the first update. Training is the same to the bit with and without the
    monitor: see `rnnexp.gradient_flow`, which also says what a look costs.

    Args:
        x: One batch of inputs, the same at every look.
        y: Its targets.
        every: `Batches(n)` or `Epochs(n)`.
        writer: A `CsvWriter`, `TensorBoardWriter`, `MlflowWriter`, any object with their methods, or a list.
        loss: As for `gradient_flow`.
        training: As for `gradient_flow`.

    Attributes:
        history: The looks, each a `Look(step, epoch, flow)`, the first one first.

    Raises:
        ArgumentError: `every` is neither of the two, or a writer cannot write.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.GRU(8), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> x, y = np.ones((8, 20, 3)), np.ones((8, 1))
        >>> monitor = GradientFlowMonitor(x, y, every=Epochs(2))
        >>> _ = model.fit(x, y, epochs=4, verbose=0, callbacks=[monitor])
        >>> [look.step for look in monitor.history]
        [0, 2, 4]
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        every: Batches | Epochs = Epochs(1),
        writer: Writer | Sequence[Writer] = (),
        loss: Any = None,
        training: bool = False,
    ):
        super().__init__()
        if not isinstance(every, Batches | Epochs):
            raise checks.ArgumentError("every", "Batches(n) or Epochs(n)", every)
        self._data = (x, y, loss, checks.boolean("training", training))
        self._every = every
        self._writers = list(writer) if isinstance(writer, Sequence) else [writer]
        for each in self._writers:
            if not callable(getattr(each, "write", None)) or not callable(getattr(each, "close", None)):
                raise checks.ArgumentError(
                    "writer", "an object with write and close, such as CsvWriter", each
                )
        self.history: list[Look] = []
        self._step = 0
        self._epoch = 0
        self._epoch_start = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Look before the first update."""
        if not self.history:
            self._look()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Count."""
        self._epoch, self._epoch_start = epoch, self._step

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count, and look where a multiple of n was passed."""
        before, self._step = self._step, self._epoch_start + batch + 1
        if isinstance(self._every, Batches) and self._step // self._every.n > before // self._every.n:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look where the number of epochs is a multiple of n."""
        if isinstance(self._every, Epochs) and (epoch + 1) % self._every.n == 0:
            self._look()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the writers."""
        for writer in self._writers:
            writer.close()

    def _look(self) -> None:
        flow = gradient_flow(self.model, *self._data)
        self.history.append(Look(self._step, self._epoch, flow))
        for writer in self._writers:
            writer.write(flow, self._step, self._epoch)
