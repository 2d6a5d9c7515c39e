"""The keras.Model whose training step records, and the data that it is fed."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from rnnexp.clipping import Clipped
from rnnexp.losses import sequence_losses
from rnnexp.recording import recording
from rnnexp.tasks import Task

SCALARS = ("loss", "global_norm", "clipped_norm", "clipped")
"""What is kept of every step beside the norms."""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What consecutive training steps left behind.

    Attributes:
        steps: Training-step numbers, (N,).
        log_norms: ln rms_b ||dl_b/dh_t|| for every time step, float32 (N, T), l_b the loss of sample b.
        scalars: (N, 4), in the order of `SCALARS`.
    """

    steps: np.ndarray
    log_norms: np.ndarray
    scalars: np.ndarray

    def series(self, name: str) -> np.ndarray:
        """Return the scalar of that name for every step, (N,)."""
        return self.scalars[:, SCALARS.index(name)]

    def followed_by(self, later: "Recorded") -> "Recorded":
        """Return both as one."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(later), strict=True)
        return Recorded(*(np.concatenate(pair) for pair in pairs))

    def every(self, interval: int) -> "Recorded":
        """Return the steps that are multiples of `interval`."""
        return Recorded(*(field[self.steps % interval == 0] for field in dataclasses.astuple(self)))

    @classmethod
    def empty(cls, steps: int) -> "Recorded":
        """Return a record of no training step, for T = `steps`."""
        return cls(np.arange(0), np.zeros((0, steps), np.float32), np.zeros((0, len(SCALARS))))


class RecordingModel(keras.Model):
    """A network under training that keeps the gradient of every step.

    One backward pass yields the weight gradients and ln ||dL/dh_t|| for every t; the record of a step is one row
    of a buffer on the device, read back in blocks, so it is complete with any `steps_per_execution`.

    Args:
        network: The Keras model to train; it holds one `rnnexp.RNN`, or none when nothing is to be recorded.
        loss_kind: As `rnnexp.losses.sequence_losses` knows it.
        clip: Gradients -> `Clipped`, from `rnnexp.clipping`.
        steps: T, the time steps that the recurrent layer takes.
        rows: Steps that the buffer holds; it has to be read before more were taken.
        record: Whether to record the norms.
    """

    def __init__(
        self,
        network: keras.Model,
        loss_kind: str,
        clip: Callable[[list[tf.Tensor]], Clipped],
        *,
        steps: int,
        rows: int = 100,
        record: bool = True,
    ):
        super().__init__(name="recording")
        self.network = network
        self._loss_kind = loss_kind
        self._clip = clip
        self._record = record
        self.rows = rows
        self.time_steps = steps if record else 0
        self._taken = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._log_norms = tf.Variable(tf.zeros((rows, self.time_steps)), trainable=False)
        self._scalars = tf.Variable(tf.zeros((rows, len(SCALARS)), tf.float64), trainable=False)

    def call(self, x, training=False):
        """Return the network's outputs."""
        return self.network(x, training=training)

    def train_step(self, data):
        """Take one step: one forward pass, one backward pass, clip, update, record."""
        x, y = data
        with tf.GradientTape() as tape, recording(tape) as record:
            loss = tf.reduce_mean(sequence_losses(self._loss_kind, y, self.network(x, training=True)))
        taps = list(record.taps.values()) if self._record else []
        gradients, log_norms = tape.gradient(loss, (self.network.trainable_variables, taps))
        clipped = self._clip(gradients)
        self.optimizer.apply(clipped.gradients, self.network.trainable_variables)
        self._write(loss, clipped, log_norms, x.shape[0])
        return {"loss": loss}

    def _write(self, loss, clipped, log_norms, batch_size: int) -> None:
        row = self._taken % self.rows
        scalars = (loss, clipped.norm_before, clipped.norm_after, clipped.clipped)
        self._scalars.scatter_update(
            tf.IndexedSlices(tf.stack([tf.cast(s, tf.float64) for s in scalars]), row)
        )
        for norms in log_norms:
            # l_b enters the batch loss with weight 1/B: rms_b ||dl_b/dh_t|| = sqrt(B) ||dL/dh_t||
            rms = norms + math.log(batch_size) / 2
            self._log_norms.scatter_update(tf.IndexedSlices(tf.cast(rms, tf.float32), row))
        self._taken.assign_add(1)

    @property
    def steps_taken(self) -> int:
        """Training steps since the start of the run."""
        return int(self._taken)

    @steps_taken.setter
    def steps_taken(self, value: int) -> None:
        self._taken.assign(value)

    def read(self, first: int) -> Recorded:
        """Return what steps `first` .. `steps_taken` - 1 left in the buffer.

        Raises:
            ValueError: The buffer no longer holds `first`.
        """
        steps = np.arange(first, self.steps_taken)
        if len(steps) > self.rows:
            raise ValueError(f"the buffer holds {self.rows} steps, {len(steps)} were asked for")
        rows = steps % self.rows
        return Recorded(steps, self._log_norms.numpy()[rows], self._scalars.numpy()[rows])


def training_data(
    task: Task, seed: int, batch_size: int, start: int, stop: int, dtype: str
) -> tf.data.Dataset:
    """Return batches `start` .. `stop` - 1 of the training stream, made on the host while the device computes."""

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for index in range(start, stop):
            x, y = task.batch(seed, "train", index, batch_size)
            yield x.astype(dtype, copy=False), y

    x, y = task.batch(seed, "train", 0, batch_size)
    signature = (tf.TensorSpec(x.shape, dtype), tf.TensorSpec(y.shape, y.dtype))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(8)
    return dataset.apply(tf.data.experimental.assert_cardinality(stop - start))
