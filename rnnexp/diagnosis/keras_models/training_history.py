"""Loss and global gradient norm of every update of `fit`, taken from the optimizer as it is called."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnexp.diagnosis.course import Course, Spike, threshold_of
from rnnexp.nn.tapped_step import covered
from rnnexp.runtime.checks import fraction, positive

_ROWS = 4096
"""Updates that the buffer holds, which the training step writes to."""
_CLIPPED = 0.1
"""Share of the updates that the proposed threshold clips."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingHistory:
    """Loss and gradient norm of every update, before any clipping.

    Attributes:
        loss: L of the batch of every update, (N,); nan if the training step does not track it.
        global_norm: sqrt(sum over all weights of ||dL/dW||^2), (N,).
    """

    loss: np.ndarray
    global_norm: np.ndarray

    def percentiles(self, *percents: float) -> list[float]:
        """Return percentiles of the finite norms; nan where there is none."""
        finite = self.global_norm[np.isfinite(self.global_norm)]
        return [float(np.percentile(finite, each)) if finite.size else np.nan for each in percents]

    def clipped_share(self, threshold: float) -> float:
        """Return the share of the updates that `global_clipnorm=threshold` would clip.

        Raises:
            ArgumentError: `threshold` is not above 0.
        """
        above = ~(self.global_norm <= positive("threshold", threshold))
        return float(above.mean()) if above.size else np.nan

    def threshold(self, share: float = _CLIPPED) -> float:
        """Return a `global_clipnorm` that clips this share of the updates, to two digits.

        Raises:
            ArgumentError: `share` is not in [0, 1).
        """
        return float(f"{self.percentiles(100 * (1 - fraction('share', share)))[0]:.2g}")

    @property
    def spike(self) -> Spike | None:
        """The spike of the norms, by the rule of a run: `rnnexp.diagnosis.course.Course.spike`."""
        train_steps = np.arange(1, len(self.global_norm) + 1)
        return Course(train_steps, self.loss, self.global_norm, floor_loss=math.inf).spike()

    @property
    def spike_step(self) -> int | None:
        """The update (1, 2, ...) of the spike; None without one."""
        return None if self.spike is None else self.spike.step

    @property
    def proposed(self) -> float:
        """A `global_clipnorm`: the usual norm before a spike, else what clips a tenth; nan if unknown."""
        return self.threshold() if self.spike is None else threshold_of(self.spike)

    def __repr__(self) -> str:
        if not self.global_norm.size:
            return "No updates yet"
        low, middle, high, top = self.percentiles(10, 50, 90, 100)
        lines = [
            f"{len(self.global_norm)} updates, global norm of the gradient: "
            f"10 % {low:.3g}, median {middle:.3g}, 90 % {high:.3g}, largest {top:.3g}"
        ]
        if self.spike is not None:
            loss = self.loss[self.spike.step - 1]
            lines.append(f"spike at update {self.spike.step}: norm {self.spike.norm:.3g}, loss {loss:.4g}")
        lines += [
            f"global_clipnorm={threshold:.2g} clips {self.clipped_share(threshold):.1%}"
            for threshold in dict.fromkeys([self.proposed, self.threshold(0.5), self.threshold(0.01)])
            if threshold > 0
        ]
        return "\n".join(lines)


class Recorder:
    """Writes loss and norm of every update to a buffer, inside the training step that `fit` traces.

    The training function is traced again with the recorder; `stop` restores the former one, where the model
    was not compiled anew meanwhile. Several recorders of one model may stop in any order.

    Args:
        model: A compiled model.
        before: The history so far, which this one continues.
    """

    def __init__(self, model: keras.Model, before: TrainingHistory):
        self._buffer = tf.Variable(tf.fill((2, _ROWS), np.float32(np.nan)), trainable=False)
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._read = 0
        self._kept = [np.stack([before.loss, before.global_norm])]
        self._stopped = False
        self._model, self._compiled = model, _compiled(model)
        self._optimizer, tracker = self._compiled
        self._train_function, model.train_function = model.train_function, None
        self._stack = contextlib.ExitStack()
        apply = functools.partial(self._apply, self._optimizer.apply)
        self._stack.enter_context(covered(self._optimizer, "apply", apply))
        if tracker is not None:
            update = functools.partial(self._update_loss, tracker.update_state)
            self._stack.enter_context(covered(tracker, "update_state", update))

    def _apply(self, apply, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None):
        self._write(1, _global_norm(grads))
        self._count.assign_add(1)
        return apply(grads, trainable_variables)

    def _update_loss(self, update, values, *args, **kwargs):
        self._write(0, tf.cast(tf.reduce_sum(values), tf.float32))
        return update(values, *args, **kwargs)

    def _write(self, row: int, value: tf.Tensor) -> None:
        self._buffer.scatter_nd_update([[row, self._count % _ROWS]], [value])

    def read(self, updates: int) -> None:
        """Read the buffer if `updates` more could overwrite it; 0 reads it at once."""
        if updates == 0 or updates - self._read > _ROWS // 2:
            count = int(self._count.numpy())
            places = np.arange(min(count - self._read, _ROWS)) + max(self._read, count - _ROWS)
            self._kept.append(self._buffer.numpy()[:, places % _ROWS])
            self._read = count

    def stop(self) -> None:
        """Read the rest of the buffer; restore the model as soon as recorders begun later have stopped."""
        self.read(0)
        self._stopped = True
        while (last := _last_begun(self._optimizer)) is not None and last._stopped:
            last._restore()

    def _restore(self) -> None:
        self._stack.close()
        if _compiled(self._model) == self._compiled:
            self._model.train_function = self._train_function

    @property
    def history(self) -> TrainingHistory:
        """The history as far as it was read."""
        return TrainingHistory(*np.concatenate(self._kept, axis=1))


def _compiled(model: keras.Model) -> tuple[Any, Any]:
    """The optimizer that is called, and the tracker of the loss, which every `compile` makes anew."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return optimizer, getattr(model, "_loss_tracker", None)


def _last_begun(optimizer: Any) -> Recorder | None:
    """The recorder whose wrapper an optimizer calls first."""
    wrapper = getattr(vars(optimizer).get("apply"), "func", None)
    found = getattr(wrapper, "__self__", None)
    return found if isinstance(found, Recorder) else None


def _global_norm(gradients: Sequence[Any]) -> tf.Tensor:
    """sqrt(sum ||g||^2) with the largest entry factored out, float32."""
    dense = [tf.cast(tf.convert_to_tensor(g), tf.float32) for g in _flat(gradients)]
    largest = tf.reduce_max([tf.reduce_max(tf.abs(g)) for g in dense])
    scale = tf.where(tf.math.is_finite(largest) & (largest > 0), largest, 1.0)
    return scale * tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g / scale)) for g in dense]))


def _flat(gradients: Sequence[Any]) -> Iterator[Any]:
    for gradient in gradients:
        if isinstance(gradient, tf.IndexedSlices):  # rows that occur twice count as their sum
            rows, places = tf.unique(gradient.indices)
            yield tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
        elif gradient is not None:
            yield gradient
