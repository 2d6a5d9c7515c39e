"""Instruments for the recurrent layers of a model: during one forward pass they report their calls."""

import collections
import contextlib
import functools
import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from rnnexp.diagnosis.keras_models.reachable import layers_by_path, layers_of
from rnnexp.nn.keras_loop import tapped_loop, zero_taps
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.step_derivatives import is_float
from rnnexp.nn.tapped_step import TappedStep, covered
from rnnexp.nn.taps import inside_step, is_inside_step, is_unrecorded, recording, unrecorded

_logger = logging.getLogger(__name__)


class Site(NamedTuple):
    """One call of one recurrent layer, or of a cell that a model calls itself.

    Attributes:
        name: Path of the layer in the model.
        taps: Tensors whose gradients are dl/dh, (B, T, ...), in the order of the inputs' time; or, if `step`
            is None, ln ||dl_b/dh_t||, (T, B), in the order of processing.
        mask: (B, T) booleans, or None.
        go_backwards: Whether the layer processes the last input first.
        read_at_every_step: Whether the layer returns its output of every step, not only of the last.
        step: The traced step, which names the states; None for the scan, whose only state is h.
        initial: The states before the first step.
        final: The states after the last.
        hands_on: Whether another call may continue from the last states, with a gradient.
        slices: Equal for the calls that one `TimeDistributed` makes for its slices; None elsewhere.
        previous: Number of the call whose last states are the initial ones; None where none is known.
        compared: Number of the call whose last states may equal the initial ones; None without one.
        read: Whether the loss depends on each of the states; empty until that is known.
    """

    name: str
    taps: tuple[tf.Tensor, ...]
    mask: tf.Tensor | None
    go_backwards: bool
    read_at_every_step: bool
    step: TappedStep | None
    initial: list[Any]
    final: list[Any]
    hands_on: bool
    slices: tuple | None
    previous: int | None = None
    compared: int | None = None
    read: tuple[bool, ...] = ()

    @property
    def is_movable(self) -> bool:
        """Whether a nonzero tap changes the state and everything that depends on it."""
        return self.step is None or self.step.additive


class OutOfSightError(Exception):
    """A recurrent layer runs where the tape does not record: in a graph of its own, or unrecorded."""


class Sites:
    """The calls of recurrent layers during one forward pass under `tape`, in their order.

    Args:
        tape: The tape that will compute the gradients.
        strict: Whether a call that the tape does not record raises `OutOfSightError`; else it is left out.
        values: What to add to the states, for every call and state in their order, (B, T, ...); None: zeros.
            With values all layers run in Keras' loop, where they have an effect.

    Attributes:
        calls: The calls.
        opened: The taps, in the order of `values`.
        notes: Sentences on what is not measured, and why.
        moved: Whether there are values.
    """

    def __init__(self, tape: tf.GradientTape, strict: bool, values: Sequence[tf.Tensor] | None = None):
        self.calls: list[Site] = []
        self.opened: list[tf.Tensor] = []
        self.notes: list[str] = []
        self.moved = values is not None
        self._values = iter(values or ())
        self._called: dict[str, None] = {}
        # Of every open call of a `TimeDistributed` its number, and how often its slice called each path.
        self._frames: list[tuple[int, collections.Counter[str]]] = []
        self._numbers = itertools.count()
        self._tape = tape
        self._strict = strict
        self._graph = _graph()

    def loop(self, layer, path, sequences, initial_state, mask=None, training=False):
        """Replace Keras' loop, which `layer.inner_loop` calls in the end."""
        if not self._sees(path):
            with inside_step():
                return keras.layers.RNN.inner_loop(layer, sequences, initial_state, mask, training)
        mask = keras.tree.flatten(mask)[0] if keras.tree.is_nested(mask) else mask
        taps = self._taps(zero_taps(sequences, initial_state))
        result, step = tapped_loop(layer, taps, sequences, initial_state, mask, training)
        self._keep(layer, path, taps, mask, step, initial_state, result[2])
        return result

    def scan(self, layer, path, loop, sequences, initial_state, mask=None, training=False):
        """Replace `inner_loop` of an `rnnexp.RNN`, whose scan reports norms itself."""
        if self.moved or layer._obstacle(mask) is not None or not self._sees(path):
            return loop(sequences, initial_state, mask, training)
        with recording(self._tape, per_sample=True) as record:
            result = loop(sequences, initial_state, mask, training)
        self._keep(layer, path, tuple(record.taps.values()), None, None, initial_state, result[2])
        return result

    def step(self, cell, path, call, inputs, states, *args, **kwargs):
        """Replace `cell.call` if the model calls the cell itself: a sequence of one step."""
        if is_inside_step() or not self._sees(path):
            with inside_step():
                return call(inputs, states, *args, **kwargs)
        flat = [state for state in keras.tree.flatten(states) if is_float(state)]
        taps = self._taps([tf.expand_dims(tf.zeros_like(state), 1) for state in flat])
        step = TappedStep(cell, training=False)
        each = [tap[:, 0] for tap in taps]
        result = step.once(lambda x, s: call(x, s, *args, **kwargs), inputs, states, each)
        self._keep(None, path, taps, None, step, states, [result[0], *keras.tree.flatten(result[1])])
        return result

    def called(self, path, call, *args, **kwargs):
        """Replace a recurrent layer's `call`."""
        if not is_unrecorded():
            self._called[path] = None
        return call(*args, **kwargs)

    def slices(self, layer, call, *args, **kwargs):
        """Replace `TimeDistributed.call` around `layer`; its calls for the slices count as one call."""
        count: collections.Counter[str] = collections.Counter()
        inner = layer.call

        def each_slice(*inputs, **options):
            count.clear()
            return inner(*inputs, **options)

        self._frames.append((next(self._numbers), count))
        try:
            with covered(layer, "call", each_slice):
                return call(*args, **kwargs)
        finally:
            self._frames.pop()

    def finish(self) -> None:
        """Add a note on layers that were called but used neither Keras' loop nor a cell of Keras."""
        seen = {site.name for site in self.calls}
        for path in self._called:
            if path not in seen and not any(note.startswith(f"layer {path} ") for note in self.notes):
                self.notes.append(f"layer {path} takes its steps by neither Keras' loop nor its cell")

    def _sees(self, path: str) -> bool:
        """Whether the tape records a call, and the call belongs to the model's pass."""
        if is_unrecorded():
            return False
        if _graph() is self._graph and _recorded() and not _is_vectorized():
            return True
        if self._strict:
            raise OutOfSightError(path)
        note = f"layer {path} runs in a graph of its own, or unrecorded"
        if note not in self.notes:
            self.notes.append(note)
        return False

    def _taps(self, zeros: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        taps = tuple(next(self._values, zero) for zero in zeros)
        self._tape.watch(taps)
        self.opened += taps
        return taps

    def _keep(self, layer, path, taps, mask, step, initial, final) -> None:
        slices = None
        if self._frames:
            (number, _), (_, count) = self._frames[0], self._frames[-1]
            slices = (number, path, count[path])
            count[path] += 1
        site = Site(
            path,
            tuple(taps),
            mask,
            go_backwards=layer is not None and layer.go_backwards,
            read_at_every_step=layer is not None and layer.return_sequences,
            step=step,
            initial=keras.tree.flatten(initial),
            final=keras.tree.flatten(final),
            hands_on=layer is None or not layer.stateful,
            slices=slices,
        )
        self.calls.append(site)


@contextlib.contextmanager
def instrumented(model: keras.Model, sites: Sites) -> Iterator[None]:
    """Let the recurrent layers of `model` report their calls to `sites`.

    Only attributes of the instances are replaced, and restored at the end:
    - Keras' loop, by a class between the layer's own and `keras.layers.RNN`, whatever overrides `inner_loop`;
    - the calls of cells, which a model may call itself;
    - fused kernels, which bypass the loop, and rematerialisation, inside which the tape does not record;
    - TimeDistributed around a recurrent layer, whose calls for the slices count as one.
    """
    layers = list(layers_by_path(model))
    owners = {id(layer.cell): path for path, layer in layers if isinstance(layer, keras.layers.RNN)}
    with contextlib.ExitStack() as covers:
        for path, layer in [(model.name, model), *layers]:
            for name, value in _covers(layer, owners.get(id(layer), path), sites):
                covers.enter_context(covered(layer, name, value))
            if isinstance(layer, keras.layers.RNN):
                covers.enter_context(_hooked(layer))
        yield


def _covers(layer, path, sites: Sites) -> Iterator[tuple[str, Any]]:
    if layer._remat_mode is not None:
        yield "_remat_mode", None
    if isinstance(layer, keras.layers.RNN):
        yield "call", functools.partial(sites.called, path, layer.call)
        yield "_reported_loop", functools.partial(sites.loop, layer, path)
        yield "_maybe_config_dropout_masks", unrecorded()(layer._maybe_config_dropout_masks)
        if "use_cudnn" in vars(layer):
            yield "use_cudnn", False
    if isinstance(layer, RNN):
        if sites.moved:
            yield "_obstacle", lambda _mask: "its states are moved"
        yield "inner_loop", functools.partial(sites.scan, layer, path, layer.inner_loop)
    elif isinstance(layer, keras.layers.Bidirectional):
        for attempt in ("_can_attempt_fused_lstm", "_can_attempt_fused_gru"):
            yield attempt, lambda *_args, **_kwargs: False
    elif isinstance(layer, keras.layers.TimeDistributed) and _is_recurrent(layer.layer):
        yield "call", functools.partial(sites.slices, layer.layer, layer.call)
    elif hasattr(layer, "state_size") and not isinstance(layer, keras.layers.RNN):
        yield "call", functools.partial(sites.step, layer, path, layer.call)


@contextlib.contextmanager
def _hooked(layer: keras.layers.RNN) -> Iterator[None]:
    """Insert a class before `keras.layers.RNN` in the order in which the layer looks up its methods."""
    kind = type(layer)
    bases = (_Hook,) if kind is keras.layers.RNN else (kind, _Hook)
    object.__setattr__(layer, "__class__", type(kind.__name__, bases, {"__module__": kind.__module__}))
    try:
        yield
    finally:
        object.__setattr__(layer, "__class__", kind)


class _Hook(keras.layers.RNN):
    """Holds the `inner_loop` that `super().inner_loop` finds while a layer is instrumented."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Report the call."""
        return self._reported_loop(sequences, initial_state, mask, training)


def _is_recurrent(layer: keras.layers.Layer) -> bool:
    inside = [each for each in layers_of(layer) if hasattr(each, "state_size")]
    return bool(inside) and not any(getattr(each, "stateful", False) for each in inside)


def _recorded() -> bool:
    """Whether tapes record here; they do not in a forward pass that `tf.recompute_grad` will repeat."""
    with tf.GradientTape() as tape:
        one = tf.ones(())
        tape.watch(one)
        same = tf.identity(one)
    return tape.gradient(same, one) is not None


def _is_vectorized() -> bool:
    """Whether this is the body of `tf.vectorized_map`, where one call stands for all rows."""
    scopes = "" if tf.executing_eagerly() else tf.compat.v1.get_default_graph().get_name_scope()
    return any(scope.startswith("loop_body") for scope in scopes.split("/"))


def _graph() -> tf.Graph | None:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
