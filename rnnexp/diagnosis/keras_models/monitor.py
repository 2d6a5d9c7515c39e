"""A callback that looks at the gradient over time while a model trains."""

import abc
import dataclasses
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from rnnexp.diagnosis.keras_models.data import Batch, first_batch
from rnnexp.diagnosis.keras_models.gradient_flow import gradient_flow
from rnnexp.diagnosis.keras_models.result import GradientFlow
from rnnexp.diagnosis.keras_models.training_history import Recorder, TrainingHistory
from rnnexp.diagnosis.keras_models.writers import Writer
from rnnexp.runtime import checks


@dataclasses.dataclass(frozen=True)
class Every(abc.ABC):
    """When to look: at every n-th event.

    Args:
        n: Number of events between two looks.

    Raises:
        ArgumentError: `n` is not an integer of at least 1.
    """

    n: int

    def __post_init__(self):
        """Check `n`."""
        checks.integer("n", self.n, minimum=1)


class Batches(Every):
    """At every n-th update, counted over all epochs and calls of `fit`.

    With `steps_per_execution` > 1, after the execution in which the update lies.
    """


@dataclasses.dataclass(frozen=True)
class Epochs(Every):
    """At the end of every n-th epoch."""

    n: int = 1


class Look(NamedTuple):
    """What was found after `step` updates, in the epoch of that number."""

    step: int
    epoch: int
    flow: GradientFlow


class GradientFlowMonitor(keras.callbacks.Callback):
    """Measure the gradient at every time step of a model at intervals during `fit`.

    The first look is taken before the first update. Training is the same to the bit with and without the
    monitor: see `rnnexp.gradient_flow`, which also says what a look costs. Loss and global gradient norm of
    every update are recorded too. A `fit` of another model starts anew.

    Args:
        x: One batch of inputs, the same at every look; or whatever `gradient_flow` takes as x;
            of a data set the first batch, without its shuffling.
        y: Its targets.
        every: `Batches(n)` or `Epochs(n)`.
        writer: A `CsvWriter`, `TensorBoardWriter`, `MlflowWriter`, any object with their methods, or a list.
        loss: As for `gradient_flow`.
        training: As for `gradient_flow`.
        sample_weight: As for `gradient_flow`.
        class_weight: As for `gradient_flow`.

    Attributes:
        history: The looks at the model, each a `Look(step, epoch, flow)`, the first one first.
        earlier: The histories of the models before it, the oldest first.

    Raises:
        ArgumentError: `every` is neither of the two, or a writer cannot write.

    Examples:
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
        y: Any = None,
        every: Batches | Epochs = Epochs(1),
        writer: Writer | Sequence[Writer] = (),
        loss: Any = None,
        training: bool = False,
        *,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
    ):
        super().__init__()
        if not isinstance(every, Batches | Epochs):
            raise checks.ArgumentError("every", "Batches(n) or Epochs(n)", every)
        self._options = {"loss": loss, "training": checks.boolean("training", training)}
        self._given = (x, y, sample_weight, class_weight)
        self._batch: Batch | None = None
        self._every = every
        self._writers = list(writer) if isinstance(writer, Sequence) else [writer]
        for each in self._writers:
            if not callable(getattr(each, "write", None)) or not callable(getattr(each, "close", None)):
                raise checks.ArgumentError(
                    "writer", "an object with write and close, such as CsvWriter", each
                )
        self.earlier: list[list[Look]] = []
        self._last: weakref.ref[keras.Model] | None = None
        self._recorder: Recorder | None = None
        self._start()

    def _start(self) -> None:
        self.history: list[Look] = []
        self._step = self._epoch = self._epoch_start = 0
        self._trained = TrainingHistory(*np.zeros((2, 0), np.float32))

    def set_model(self, model: keras.Model) -> None:
        """Start anew where the model is another one, and record its updates."""
        super().set_model(model)
        if self._last is not None and self._last() is not model:
            self.earlier.append(self.history)
            self._start()
        self._last = weakref.ref(model)
        if self._recorder is not None:  # of a `fit` that was broken off
            self._recorder.stop()
        recorded = model.compiled and model.optimizer is not None
        self._recorder = Recorder(model, self._trained) if recorded else None

    @property
    def training(self) -> TrainingHistory:
        """Loss and global norm of every update of the model so far."""
        return self._trained if self._recorder is None else self._recorder.history

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
        if self._recorder is not None:
            self._recorder.read(self._step)
        if isinstance(self._every, Batches) and self._step // self._every.n > before // self._every.n:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look where the number of epochs is a multiple of n."""
        if isinstance(self._every, Epochs) and (epoch + 1) % self._every.n == 0:
            self._look()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the writers, and let go of the optimizer."""
        if self._recorder is not None:
            self._recorder.stop()
            self._trained, self._recorder = self._recorder.history, None
        for writer in self._writers:
            writer.close()

    def _look(self) -> None:
        if self._recorder is not None:
            self._recorder.read(0)
        self._batch = first_batch(self.model, *self._given) if self._batch is None else self._batch
        x, y, sample_weight = self._batch
        flow = gradient_flow(self.model, x, y, sample_weight=sample_weight, **self._options)
        flow = dataclasses.replace(flow, training=self.training)
        self.history.append(Look(self._step, self._epoch, flow))
        for writer in self._writers:
            writer.write(flow, self._step, self._epoch)

    def __repr__(self) -> str:
        if not self.history:
            return "GradientFlowMonitor without looks"
        flow = dataclasses.replace(self.history[-1].flow, training=self.training)
        return f"After {self.history[-1].step} updates\n{flow}"
