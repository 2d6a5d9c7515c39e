"""Records of adjoint norms: recurrent layers called inside `recording` open taps in its record.

    with tf.GradientTape() as tape, recording(tape) as record:
        loss = ...model(x)...
    gradients, norms = tape.gradient(loss, (weights, record.taps))

`norms[name]` is ln ||dL/dh_t|| for every step of the layer of that name, in the order of processing, from the
same backward pass that yields the weight gradients. A state that is not the layer's output has a tap of its
own: `norms["name:c"]` is ln ||dL/dc_t|| of an LSTM.
"""

import collections
import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import tensorflow as tf
from keras.src.backend.common.symbolic_scope import in_symbolic_scope

_current: contextvars.ContextVar["Record | None"] = contextvars.ContextVar("rnnexp_record", default=None)
_unrecorded: contextvars.ContextVar[bool] = contextvars.ContextVar("rnnexp_unrecorded", default=False)
_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("rnnexp_inside_step", default=False)

OUTPUT = ""
"""Name of the state that is the layer's output."""


class Record:
    """The taps that layers opened during one forward pass.

    Args:
        tape: The tape that will compute the gradient.
        per_sample: Whether to record the norm of every sample, (T, B), or the norm over the batch, (T,).
        outputs_only: Whether to record only the state that is the layer's output: h of an LSTM, and not c.
        vectors: Whether to record the adjoints beside their norms; layers on the scan can do that.

    Attributes:
        outputs_only: As given.
        taps: Name -> tap. The name is the layer's, with /1, /2, ... at a second, third, ... call; then, after
            a colon, the name of a state that is not the output.
        vectors: If asked for, one tap for each call of a layer on the scan, in their order: its gradient is
            dL/dh_t and delta_t = dL/da_t of every step, (T, 2, B, H).

    Only calls in the graph (or the eager mode) in which the record was made open taps: the tape does not
    record another graph, such as a nested `tf.function` or the scratch graph of Keras' shape inference.
    """

    def __init__(
        self,
        tape: tf.GradientTape,
        per_sample: bool = False,
        outputs_only: bool = False,
        vectors: bool = False,
    ):
        self.taps: dict[str, tf.Tensor] = {}
        self.vectors: list[tf.Tensor] = []
        self._calls: collections.Counter[str] = collections.Counter()
        self._tape = tape
        self._per_sample = per_sample
        self.outputs_only = outputs_only
        self._wants_vectors = vectors
        self._graph = _graph()

    def tap(self, layer: str, time_steps: int | tf.Tensor, batch_size: int | tf.Tensor) -> tf.Tensor | None:
        """Open a tap for one call of `layer`: float64 zeros, (T,) or (T, B); None in another graph."""
        taps = self.open(time_steps, batch_size, 1)
        self.keep(layer, [OUTPUT], taps)
        return taps[0]

    def open(
        self, time_steps: int | tf.Tensor, batch_size: int | tf.Tensor, states: int
    ) -> list[tf.Tensor | None]:
        """Return taps for a number of states, which `keep` names later; None in another graph."""
        if _graph() is not self._graph or is_unrecorded():
            return [None] * states
        taps = [tf.zeros((time_steps, batch_size)[: 1 + self._per_sample], tf.float64) for _ in range(states)]
        for tap in taps:
            self._tape.watch(tap)
        return taps

    def vector_tap(
        self, time_steps: int | tf.Tensor, batch_size: int | tf.Tensor, units: int, dtype: str
    ) -> tf.Tensor | None:
        """Open a tap for the adjoints of one call of a layer; None if not asked for, or in another graph."""
        if not self._wants_vectors or _graph() is not self._graph or is_unrecorded():
            return None
        tap = tf.zeros((time_steps, 2, batch_size, units), dtype)
        self._tape.watch(tap)
        self.vectors.append(tap)
        return tap

    def keep(self, layer: str, states: Sequence[str], taps: Sequence[tf.Tensor | None]) -> None:
        """Name the taps of one call of `layer`, if there are any.

        Args:
            layer: Its name.
            states: Names of the states, `OUTPUT` for the layer's output.
            taps: As `open` returned them.
        """
        if all(tap is None for tap in taps):
            return
        call = f"{layer}/{self._calls[layer]}" if self._calls[layer] else layer
        self._calls[layer] += 1
        for state, tap in zip(states, taps, strict=True):
            if tap is not None and (state == OUTPUT or not self.outputs_only):
                self.taps[call if state == OUTPUT else f"{call}:{state}"] = tap


@contextlib.contextmanager
def recording(
    tape: tf.GradientTape, per_sample: bool = False, outputs_only: bool = False, vectors: bool = False
) -> Iterator[Record]:
    """Let every `rnnexp.RNN` called inside open taps in the `Record` that this yields; arguments as there."""
    record = Record(tape, per_sample, outputs_only, vectors)
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


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Let no layer open taps inside: for a call whose result is not used."""
    token = _unrecorded.set(True)
    try:
        yield
    finally:
        _unrecorded.reset(token)


def is_unrecorded() -> bool:
    """Whether calls here are not recorded: inside `unrecorded`, or while Keras infers shapes."""
    return _unrecorded.get() or in_symbolic_scope()


@contextlib.contextmanager
def inside_step() -> Iterator[None]:
    """Mark that a cell is called by a loop, or by another cell, which taps its states itself."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def is_inside_step() -> bool:
    """Whether this runs inside `inside_step`."""
    return _inside.get()
