"""Which recurrent layers hand out their adjoint norms, and to whom.

    with tf.GradientTape() as tape, recording(tape) as record:
        loss = ...model(x)...
    gradients, norms = tape.gradient(loss, (weights, record.taps))

`norms[name]` is ln ||dL/dh_t|| for every step of the layer of that name, in the order of processing, from the
same backward pass that yields the weight gradients.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf

_current: contextvars.ContextVar["Record | None"] = contextvars.ContextVar("rnnexp_record", default=None)


class Record:
    """The taps that layers opened during one forward pass.

    Args:
        tape: The tape that will be asked for the gradient.
        per_sample: Whether the norm of every sample is wanted, (T, B), or the norm over the batch, (T,).

    Attributes:
        taps: Layer name -> tap. A layer called twice gets a name for every call.

    Only calls in the graph (or the eager mode) in which the record was made open taps: inside another graph,
    such as a nested `tf.function` or the scratch graph of Keras' shape inference, the tape sees nothing.
    """

    def __init__(self, tape: tf.GradientTape, per_sample: bool = False):
        self.taps: dict[str, tf.Tensor] = {}
        self._tape = tape
        self._per_sample = per_sample
        self._graph = _graph()

    def tap(self, layer: str, steps: int | tf.Tensor, batch_size: int | tf.Tensor) -> tf.Tensor | None:
        """Open a tap for one call of `layer`: float64 zeros, (T,) or (T, B); None in a graph out of sight."""
        if _graph() is not self._graph:
            return None
        tap = tf.zeros((steps, batch_size) if self._per_sample else (steps,), tf.float64)
        self._tape.watch(tap)
        calls = sum(name == layer or name.startswith(f"{layer}/") for name in self.taps)
        self.taps[f"{layer}/{calls}" if calls else layer] = tap
        return tap


@contextlib.contextmanager
def recording(tape: tf.GradientTape, per_sample: bool = False) -> Iterator[Record]:
    """Let every `rnnexp.RNN` called inside open a tap in the record that this yields."""
    record = Record(tape, per_sample)
    token = _current.set(record)
    try:
        yield record
    finally:
        _current.reset(token)


def _graph() -> tf.Graph | None:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def current() -> Record | None:
    """Return the record of the innermost `recording`, or None outside."""
    return _current.get()
