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
from keras.src.backend.common.symbolic_scope import in_symbolic_scope

_current: contextvars.ContextVar["Record | None"] = contextvars.ContextVar("rnnexp_record", default=None)
_unrecorded: contextvars.ContextVar[bool] = contextvars.ContextVar("rnnexp_unrecorded", default=False)
_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("rnnexp_inside_step", default=False)

OUTPUT = ""
"""Name of the state that a layer hands on."""


class Record:
    """The taps that layers opened during one forward pass.

    Args:
        tape: The tape that will be asked for the gradient.
        per_sample: Whether the norm of every sample is wanted, (T, B), or the norm over the batch, (T,).
        outputs_only: Whether only the state that a layer hands on is wanted: h of an LSTM, and not c.
        vectors: Whether the adjoints themselves are wanted beside their norms; layers on the scan have them.

    Attributes:
        outputs_only: As given.
        taps: Name -> tap. The name is the layer's, with /1, /2, ... at a second, third, ... call; then, after
            a colon, that of a state that the layer does not hand on.
        vectors: One tap for each call of a layer on the scan, in their order, where the vectors are wanted:
            its gradient is dL/dh_t and delta_t = dL/da_t of every step, (T, 2, B, H).

    Only calls in the graph (or the eager mode) in which the record was made open taps: inside another graph,
    such as a nested `tf.function` or the scratch graph of Keras' shape inference, the tape sees nothing.
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
        """Open a tap for one call of `layer`: float64 zeros, (T,) or (T, B); None in a graph out of sight."""
        taps = self.open(time_steps, batch_size, 1)
        self.keep(layer, [OUTPUT], taps)
        return taps[0]

    def open(
        self, time_steps: int | tf.Tensor, batch_size: int | tf.Tensor, states: int
    ) -> list[tf.Tensor | None]:
        """Return a tap for each of a number of states, which `keep` names; None in a graph out of sight."""
        if _graph() is not self._graph or is_unrecorded():
            return [None] * states
        taps = [tf.zeros((time_steps, batch_size)[: 1 + self._per_sample], tf.float64) for _ in range(states)]
        for tap in taps:
            self._tape.watch(tap)
        return taps

    def vector_tap(
        self, time_steps: int | tf.Tensor, batch_size: int | tf.Tensor, units: int, dtype: str
    ) -> tf.Tensor | None:
        """Open a tap for the adjoints of one call of a layer; None where unwanted or out of sight."""
        if not self._wants_vectors or _graph() is not self._graph or is_unrecorded():
            return None
        tap = tf.zeros((time_steps, 2, batch_size, units), dtype)
        self._tape.watch(tap)
        self.vectors.append(tap)
        return tap

    def keep(self, layer: str, states: Sequence[str], taps: Sequence[tf.Tensor | None]) -> None:
        """Name the taps of one call of `layer`, where there are any.

        Args:
            layer: Its name.
            states: Names of the states, `OUTPUT` for the one that the layer hands on.
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
    """Let no layer open taps: for a call whose result nobody uses."""
    token = _unrecorded.set(True)
    try:
        yield
    finally:
        _unrecorded.reset(token)


def is_unrecorded() -> bool:
    """Whether a call in here is of no interest: inside `unrecorded`, or where Keras infers shapes."""
    return _unrecorded.get() or in_symbolic_scope()


@contextlib.contextmanager
def inside_step() -> Iterator[None]:
    """Mark that a cell is called by a loop, or by another cell, that answers for its states."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def is_inside_step() -> bool:
    """Whether this runs inside `inside_step`."""
    return _inside.get()
