"""Which recurrent layers hand out their adjoint norms, and to whom.

    with tf.GradientTape() as tape, recording(tape) as record:
        loss = ...model(x)...
    gradients, norms = tape.gradient(loss, (weights, record.taps))

`norms[name]` is ln ||dL/dh_t|| for every step of the layer of that name, in the order of processing, from the
same backward pass that yields the weight gradients. A state that the layer does not hand on has a tap beside
it: `norms["name:c"]` is ln ||dL/dc_t|| of an LSTM.
"""

import collections
import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import tensorflow as tf

_current: contextvars.ContextVar["Record | None"] = contextvars.ContextVar("rnnexp_record", default=None)

OUTPUT = ""
"""Name of the state that a layer hands on."""


class Record:
    """The taps that layers opened during one forward pass.

    Args:
        tape: The tape that will be asked for the gradient.
        per_sample: Whether the norm of every sample is wanted, (T, B), or the norm over the batch, (T,).
        outputs_only: Whether only the state that a layer hands on is wanted: h of an LSTM, and not c.

    Attributes:
        taps: Name -> tap. The name is the layer's, with /1, /2, ... at a second, third, ... call; then, after
            a colon, that of a state that the layer does not hand on.

    Only calls in the graph (or the eager mode) in which the record was made open taps: inside another graph,
    such as a nested `tf.function` or the scratch graph of Keras' shape inference, the tape sees nothing.
    """

    def __init__(self, tape: tf.GradientTape, per_sample: bool = False, outputs_only: bool = False):
        self.taps: dict[str, tf.Tensor] = {}
        self._calls: collections.Counter[str] = collections.Counter()
        self._tape = tape
        self._per_sample = per_sample
        self._outputs_only = outputs_only
        self._graph = _graph()

    def tap(self, layer: str, steps: int | tf.Tensor, batch_size: int | tf.Tensor) -> tf.Tensor | None:
        """Open a tap for one call of `layer`: float64 zeros, (T,) or (T, B); None in a graph out of sight."""
        return self.tap_states(layer, steps, batch_size, [OUTPUT])[0]

    def tap_states(
        self, layer: str, steps: int | tf.Tensor, batch_size: int | tf.Tensor, states: Sequence[str]
    ) -> list[tf.Tensor | None]:
        """Open a tap for each of the `states` of one call of `layer`, as `tap` does; None where unwanted.

        Args:
            layer: Its name.
            steps: T.
            batch_size: B.
            states: Their names, `OUTPUT` for the one that the layer hands on.
        """
        if _graph() is not self._graph:
            return [None for _ in states]
        call = f"{layer}/{self._calls[layer]}" if self._calls[layer] else layer
        self._calls[layer] += 1
        return [self._open(call, state, (steps, batch_size)) for state in states]

    def _open(self, call: str, state: str, sizes: tuple) -> tf.Tensor | None:
        if self._outputs_only and state != OUTPUT:
            return None
        tap = tf.zeros(sizes if self._per_sample else sizes[:1], tf.float64)
        self._tape.watch(tap)
        self.taps[call if state == OUTPUT else f"{call}:{state}"] = tap
        return tap


@contextlib.contextmanager
def recording(
    tape: tf.GradientTape, per_sample: bool = False, outputs_only: bool = False
) -> Iterator[Record]:
    """Let every `rnnexp.RNN` called inside open taps in the `Record` that this yields; arguments as there."""
    record = Record(tape, per_sample, outputs_only)
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
