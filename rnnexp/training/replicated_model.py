"""Several seeds of one configuration in one graph.

    w_r <- step(w_r, batch_r),   r = 1 .. R, independent of one another

XLA runs the loop over time of one network on one core. The step of each network is compiled separately, and
TensorFlow runs separately compiled functions in parallel: R networks use min(R, cores) cores.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnexp.runtime import checks
from rnnexp.tasks import Lengths, Task
from rnnexp.training.callback import RecordingCallback
from rnnexp.training.data import Block, training_data
from rnnexp.training.model import RecordingModel


class ReplicatedModel(keras.Model):
    """R networks that are trained together, each by its own training step.

    Each replica has its own weights, optimizer state, clip and record, and a replica that diverges does not
    affect the others. The results of a replica equal those of the same `RecordingModel` trained alone. With
    R = 1 the training step is that of the `RecordingModel`, with no graph around it.

    Args:
        replicas: R models, at least one, each compiled with its own optimizer, with XLA or without.

    Raises:
        ArgumentError: There are no replicas.

    Attributes:
        replicas: As above.
    """

    def __init__(self, replicas: Sequence[RecordingModel]):
        if len(replicas) == 0:
            raise checks.ArgumentError("replicas", "at least one model", replicas)
        super().__init__(name="replicated", dtype=replicas[0].network.inputs[0].dtype)
        self.replicas = list(replicas)
        self._active = [tf.Variable(True, trainable=False) for _ in replicas]
        self._under_way = set(range(len(replicas)))
        self._steps = [_compiled(replica) for replica in replicas]
        self.compile(optimizer=None, jit_compile=False)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the outputs of all networks for the same x (B, T, F), (R, B, ...)."""
        return tf.stack([replica(x, training=training) for replica in self.replicas])

    def make_train_function(self, force: bool = False):
        """Return the function that `fit` calls with its iterator; for one replica it is the replica's own."""
        if len(self.replicas) > 1:
            return super().make_train_function(force)
        train = self.replicas[0].make_train_function(force)
        self.train_function: Any = lambda blocks: train(iter(next(blocks)))
        return self.train_function

    def train_step(self, data: Sequence[Block]) -> dict[str, tf.Tensor]:
        """Take the steps of one block for every replica that is not held.

        Args:
            data: A block for every replica.

        Returns:
            loss_0, loss_1, ...: The losses of the last step; nan for a replica that is held.

        Raises:
            ValueError: There are not as many blocks as replicas.
        """
        parts = zip(self._steps, self._active, data, strict=True)
        losses = [_steps_if(active, steps, block, self.compute_dtype) for steps, active, block in parts]
        return {f"loss_{place}": loss for place, loss in enumerate(losses)}

    @property
    def under_way(self) -> list[int]:
        """The numbers (0 .. R - 1) of the replicas that are not held."""
        return sorted(self._under_way)

    def hold(self, place: int) -> None:
        """Stop updating replica number `place`; when all replicas are held, `fit` ends."""
        self._active[place].assign(False)
        self._under_way.discard(place)
        if not self._under_way:
            self.stop_training = True

    def release(self, place: int) -> None:
        """Resume updating replica number `place`."""
        self._active[place].assign(True)
        self._under_way.add(place)


class ReplicatedCallback(keras.callbacks.Callback):
    """Calls the callback of every replica under way, and holds a replica that diverged or was stopped.

    Args:
        model: The replicas under training.
        callbacks: One for each replica, in their order. Each measures the time of all replicas together.
        on_return: Called at every return to Python, after the callbacks of all replicas.

    Raises:
        ArgumentError: There are not as many callbacks as replicas.
    """

    def __init__(
        self,
        model: ReplicatedModel,
        callbacks: Sequence[RecordingCallback],
        on_return: Callable[[], None] = lambda: None,
    ):
        super().__init__()
        if len(callbacks) != len(model.replicas):
            raise checks.ArgumentError("callbacks", f"{len(model.replicas)} of them", len(callbacks))
        self._replicated = model
        self._callbacks = list(callbacks)
        self._on_return = on_return

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Hold the replicas that have ended before."""
        self._hold()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Start the clocks."""
        for place in self._replicated.under_way:
            self._callbacks[place].on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Call the callback of every replica that is not held."""
        for place in self._replicated.under_way:
            self._callbacks[place].on_train_batch_end(batch, logs)
        self._hold()
        self._on_return()

    def _hold(self) -> None:
        for place in self._replicated.under_way:
            if self._callbacks[place].ended:
                self._replicated.hold(place)


def replicated_data(
    task: Task | Lengths,
    seeds: Sequence[int],
    batch_size: int,
    start: int,
    stop: int,
    dtype: str,
    execution: int,
) -> tf.data.Dataset:
    """Return batches `start` .. `stop` - 1 of the training streams of `seeds`, as `training_data` does."""
    return tf.data.Dataset.zip(
        tuple(training_data(task, seed, batch_size, start, stop, dtype, execution) for seed in seeds)
    )


def _compiled(replica: RecordingModel) -> tf.types.experimental.PolymorphicFunction:
    """Return the training steps of one replica as a function of the block, compiled as its `fit` would."""
    return tf.function(replica.train_step, autograph=False, jit_compile=replica.jit_compile)


def _steps_if(active: tf.Variable, steps, block: Block, dtype: str) -> tf.Tensor:
    """Take the steps of a block and return the loss of the last one; nan, and no step, unless `active`."""
    return tf.cond(active, lambda: steps(block)["loss"], lambda: tf.constant(float("nan"), dtype))
