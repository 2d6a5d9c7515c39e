"""Recurrent layers of a model that hand out their gradients for the time of one forward pass."""

import collections
import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from rnnexp.nn.keras_loop import state_names, tapped_loop, zero_taps
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording

_logger = logging.getLogger(__name__)


class Site(NamedTuple):
    """One call of one recurrent layer.

    Attributes:
        name: Path of the layer in the model, with /1, /2, ... at a second, third, ... call.
        states: The states' names.
        taps: Whose gradients are dl/dh, (B, T, ...), in the order of the inputs' time; or, where
            `logarithmic`, ln ||dl_b/dh_t||, (T, B), in the order of processing.
        mask: (B, T) booleans, or None.
        go_backwards: Whether the layer processes the last input first.
        read_at_every_step: Whether the layer hands its output on at every step, and not at the last only.
        logarithmic: See `taps`.
    """

    name: str
    states: list[str]
    taps: tuple[tf.Tensor, ...]
    mask: tf.Tensor | None
    go_backwards: bool
    read_at_every_step: bool
    logarithmic: bool


class OutOfSightError(Exception):
    """A recurrent layer runs where the tape does not see: in a graph of its own, or unrecorded."""


class Sites:
    """The calls of recurrent layers during one forward pass under `tape`, in their order.

    Args:
        tape: The tape that will be asked for the gradients.
        strict: Whether a call out of the tape's sight raises `OutOfSightError`, or is left out.
    """

    def __init__(self, tape: tf.GradientTape, strict: bool):
        self.calls: list[Site] = []
        self._count: collections.Counter[str] = collections.Counter()
        self._called: set[str] = set()
        self._tape = tape
        self._strict = strict
        self._graph = _graph()

    def inner_loop(self, layer, path, sequences, initial_state, mask=None, training=False):
        """Take the place of `layer.inner_loop`."""
        self._called.add(path)
        if _graph() is not self._graph or not _recorded():
            return self._unseen(layer, path)(sequences, initial_state, mask, training)
        if isinstance(layer, RNN) and layer._obstacle(mask) is None:
            with recording(self._tape, per_sample=True) as record:
                result = _own_loop(layer)(sequences, initial_state, mask, training)
            self._keep(layer, path, ["h"], tuple(record.taps.values()), None, logarithmic=True)
            return result
        mask = keras.tree.flatten(mask)[0] if keras.tree.is_nested(mask) else mask
        taps = tuple(zero_taps(sequences, initial_state))
        self._tape.watch(taps)
        result = tapped_loop(layer, taps, sequences, initial_state, mask, training)
        self._keep(layer, path, state_names(layer.cell, initial_state), taps, mask, logarithmic=False)
        return result

    def check(self, model: keras.Model) -> None:
        """Raise `OutOfSightError` if a layer has not reported, as one does whose graph was made before."""
        missing = {path for path, layer in layers_by_path(model) if isinstance(layer, keras.layers.RNN)}
        if self._strict and missing - self._called:
            raise OutOfSightError(", ".join(sorted(missing - self._called)))

    def _keep(self, layer, path, names, taps, mask, logarithmic) -> None:
        name = f"{path}/{self._count[path]}" if self._count[path] else path
        self._count[path] += 1
        ways = (layer.go_backwards, layer.return_sequences)
        self.calls.append(Site(name, names, taps, mask, *ways, logarithmic))

    def _unseen(self, layer, path):
        if self._strict:
            raise OutOfSightError(path)
        _logger.warning("layer %s runs in a graph of its own, or unrecorded, and is not measured", path)
        return _own_loop(layer)


@contextlib.contextmanager
def instrumented(model: keras.Model, sites: Sites) -> Iterator[None]:
    """Let the recurrent layers of `model` report their calls to `sites`.

    Only attributes of the instances are covered, and uncovered on the way out: `inner_loop` of every
    `keras.layers.RNN`; Bidirectional's fused kernels, which pass by it; rematerialisation, into which the
    tape does not see; and TimeDistributed around a recurrent layer, which folds the outer steps into the
    batch.
    """
    with contextlib.ExitStack() as covers:
        for path, layer in [(model.name, model), *layers_by_path(model)]:
            for name, value in _covers(layer, path, sites):
                covers.enter_context(covered(layer, name, value))
        yield


def layers_by_path(layer: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield every layer below `layer` with the names on the way to it, such as bidirectional/forward_lstm."""
    yield from _walk(layer, prefix, set())


def _walk(layer, prefix, seen):
    for child in layer._layers:
        if id(child) not in seen:
            seen.add(id(child))
            path = prefix + child.name
            yield path, child
            yield from _walk(child, f"{path}/", seen)


def _covers(layer, path, sites: Sites) -> Iterator[tuple[str, Any]]:
    if layer._remat_mode is not None:
        yield "_remat_mode", None
    if isinstance(layer, keras.layers.RNN):
        yield "inner_loop", functools.partial(sites.inner_loop, layer, path)
    elif isinstance(layer, keras.layers.Bidirectional):
        for attempt in ("_can_attempt_fused_lstm", "_can_attempt_fused_gru"):
            yield attempt, _never
    elif isinstance(layer, keras.layers.TimeDistributed) and _can_fold(layer.layer):
        yield "call", functools.partial(_folded, layer.layer)


def _never(*_args, **_kwargs) -> bool:
    return False


def _can_fold(layer: keras.layers.Layer) -> bool:
    inside = [each for each in layer._flatten_layers() if isinstance(each, keras.layers.RNN)]
    return bool(inside) and not any(each.stateful for each in inside)


def _folded(layer, inputs, training=None, mask=None):
    """Call `layer` once on (B N, ...) instead of N times on (B, ...): slice n of sample b is row b N + n."""
    batch_size, slices, *rest = ops.shape(inputs)
    kwargs: dict[str, Any] = {}
    if layer._call_has_mask_arg and mask is not None:
        kwargs["mask"] = ops.reshape(mask, (batch_size * slices, *ops.shape(mask)[2:]))
    if layer._call_has_training_arg:
        kwargs["training"] = training
    outputs = layer.call(ops.reshape(inputs, (batch_size * slices, *rest)), **kwargs)
    return ops.reshape(outputs, (batch_size, slices, *ops.shape(outputs)[1:]))


@contextlib.contextmanager
def covered(instance: Any, name: str, value: Any) -> Iterator[None]:
    """Let an attribute of one instance read `value`, past Keras' tracking of what is set."""
    attributes = vars(instance)
    own, before = name in attributes, attributes.get(name)
    attributes[name] = value
    try:
        yield
    finally:
        if own:
            attributes[name] = before
        else:
            attributes.pop(name, None)


def _own_loop(layer):
    return functools.partial(type(layer).inner_loop, layer)


def _recorded() -> bool:
    """Whether tapes record here: not where `tf.recompute_grad` runs what it will run again."""
    with tf.GradientTape() as tape:
        one = tf.ones(())
        tape.watch(one)
        same = tf.identity(one)
    return tape.gradient(same, one) is not None


def _graph() -> tf.Graph | None:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
