"""Sequences that are shorter than their tensor: padding in front, and the first step that is one.

    with padded(first):
        outputs = ...model(x)...

Every `rnnexp.RNN` called inside takes its first step at `first`: h_t = h_0 before it, and no gradient goes
there. The last step is the last of the tensor, whatever the length, so that a lag has one place. `first` may
be a tensor: one program serves all lengths.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf

_first: contextvars.ContextVar[tf.Tensor | None] = contextvars.ContextVar("rnnexp_first", default=None)


@contextlib.contextmanager
def padded(first: tf.Tensor | None) -> Iterator[None]:
    """Let every `rnnexp.RNN` called inside begin at step `first`, an int32 scalar from 0 to T - 1.

    None: at the first step of the tensor.
    """
    token = _first.set(first)
    try:
        yield
    finally:
        _first.reset(token)


def first_step() -> tf.Tensor | None:
    """Return `first` of the innermost `padded`, or None outside."""
    return _first.get()


def is_step(time_steps: int | tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """Return which of T steps of a tensor are steps of its sequences, bool (T,)."""
    return tf.range(time_steps) >= first
