"""The batches of a training run, in blocks of several steps: a return to Python costs like a short step."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from rnnexp.tasks import Batch, Lengths, Task
from rnnexp.tasks.lengths import Padded

Block = tuple[np.ndarray, ...]
"""Batches for K consecutive training steps, stacked, as NumPy arrays or tensors:

x (K, B, T, F), y (K, B, ...), and how many of the K are batches; the rest is padding, which is not read.
Of batches that are padded in front a fourth part follows: the first step, from 0, of each, (K,).
"""


def stacked(batches: Sequence[Batch | Padded], length: int, dtype: str) -> Block:
    """Return the batches, at least one, as a block of K = `length`, with x in `dtype` and y as it is.

    All blocks of a run have one shape, so that XLA compiles the training step once.
    """
    first = batches[0]
    x = np.zeros((length, *first.x.shape), dtype)
    y = np.zeros((length, *first.y.shape), first.y.dtype)
    for place, batch in enumerate(batches):
        x[place], y[place] = batch[:2]
    filled = np.array(len(batches), np.int32)
    if not isinstance(first, Padded):
        return x, y, filled
    firsts = np.zeros(length, np.int32)
    firsts[: len(batches)] = [batch.first for batch in batches if isinstance(batch, Padded)]
    return x, y, filled, firsts


def training_data(
    task: Task | Lengths, seed: int, batch_size: int, start: int, stop: int, dtype: str, execution: int
) -> tf.data.Dataset:
    """Return batches `start` .. `stop` - 1 of the training stream, in blocks of `execution`.

    They are made on the host, a block ahead, while the device computes. The data set knows how many blocks it
    has; the last one may hold fewer batches.

    Args:
        task: Whose batches; of several lengths, they are padded.
        seed: Of the stream.
        batch_size: B.
        start: The first batch.
        stop: The end of the range, exclusive, above `start`.
        dtype: Of x.
        execution: K, the training steps between returns to Python.
    """

    def block(first: int) -> Block:
        indices = range(first, min(first + execution, stop))
        return stacked([task.batch(seed, "train", index, batch_size) for index in indices], execution, dtype)

    if stop - start <= execution:  # one block, for which tracing would cost more than it saves
        return untuned(tf.data.Dataset.from_tensors(block(start)))
    example = stacked([task.batch(seed, "train", start, batch_size)], execution, dtype)
    shapes = [np.shape(part) for part in example]

    @tf.autograph.experimental.do_not_convert
    def made(first: tf.Tensor) -> tuple[tf.Tensor, ...]:
        parts = tf.numpy_function(lambda first: block(int(first)), [first], [part.dtype for part in example])
        return tuple(tf.ensure_shape(*pair) for pair in zip(parts, shapes, strict=True))

    # Not `from_generator`, which sets glibc's M_MMAP_THRESHOLD to 128 KiB for the whole process: every buffer
    # of a training step would then be mapped and unmapped by the system, a quarter of a step's time.
    blocks = tf.data.Dataset.range(start, stop, execution).map(made)
    return untuned(blocks.prefetch(1))


def untuned(data: tf.data.Dataset) -> tf.data.Dataset:
    """Return `data` without TensorFlow's autotuner, which has nothing to tune here.

    The tuner sleeps 10 ms, 20 ms, 40 ms and so on up to a minute, and deleting the data set waits for it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)
