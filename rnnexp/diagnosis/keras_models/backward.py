"""One forward and one backward pass through a model, traced once: ln ||dl_b/dh_t|| of every state."""

import functools
import logging
import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from rnnexp.diagnosis.keras_models.instrumentation import Site, Sites, instrumented
from rnnexp.diagnosis.keras_models.objective import objective
from rnnexp.diagnosis.keras_models.preservation import preserved, seed_generator
from rnnexp.runtime.checks import ArgumentError

_logger = logging.getLogger(__name__)


class Reading(NamedTuple):
    """What one state of one call of a layer gave.

    Attributes:
        layer: Name of the call.
        state: Name of the state.
        log_norms: ln ||dl_b/dh_t||, (T, B), in the order of the inputs' time; -inf where masked.
        masked: Where a step was masked, (T, B) booleans.
        go_backwards: Whether the layer processes the last input first.
        read_at_every_step: Whether the layer hands its output on at every step, and not at the last only.
    """

    layer: str
    state: str
    log_norms: np.ndarray
    masked: np.ndarray
    go_backwards: bool
    read_at_every_step: bool


class BackwardPass:
    """The traced pass of one model, loss, mode and shape.

    The model is held weakly: a pass may be kept in a table whose keys are models.

    Args:
        model: Any Keras model.
        loss: As `rnnexp.diagnosis.keras_models.objective.objective` takes it.
        training: Whether layers run in training mode.
        like: Inputs and targets, tensors in any structure, of the shapes and dtypes of all that come.
    """

    def __init__(self, model: keras.Model, loss: Any, training: bool, like: tuple[Any, Any]):
        self._model = weakref.ref(model)
        self._loss = loss
        self._training = training
        self._specs = keras.tree.map_structure(_spec, like)
        self._ways = self._open_ways(model)
        self._headers: list[tuple[str, str, bool, bool]] = []
        self._generator: Any = None

    def run(self, x: Any, y: Any) -> tuple[float, list[Reading]]:
        """Return L and the readings for one batch, and leave the model as it was.

        A model that cannot be traced, or calls its layers inside a graph of their own, is run eagerly: that
        is slow, but sees everything. A way that worked is kept to.
        """
        *cheaper, surest = self._ways
        for number, way in enumerate(cheaper):
            try:
                result = self._take(way, x, y)
            except ArgumentError:
                raise
            except Exception as error:
                _logger.info("the pass is taken another way, since: %s", error)
            else:
                self._ways = self._ways[number:]
                return result
        result = self._take(surest, x, y)
        self._ways = [surest]
        return result

    def _open_ways(self, model: keras.Model) -> list[Callable]:
        """The ways to take the pass, the cheapest first: as `fit` would, without XLA, eagerly."""
        if tf.config.functions_run_eagerly() or (model.compiled and model.run_eagerly):
            return [self._eagerly]
        ways = [self._traced(jit_compile=False), self._eagerly]
        return [self._traced(jit_compile=True), *ways] if model.compiled and model.jit_compile else ways

    def _traced(self, jit_compile: bool) -> Callable:
        """A function that is traced at its first call, and only then."""
        function = tf.function(self._differentiate, autograph=False, jit_compile=jit_compile)
        concrete = functools.cache(lambda: function.get_concrete_function(*_leaves(self._specs)))
        return lambda *leaves: concrete()(*leaves)

    def _take(self, way: Callable, x: Any, y: Any) -> tuple[float, list[Reading]]:
        with preserved(self._held(), self._training):
            loss, log_norms, masks = way(*_leaves((x, y)))
            # A trace goes on using the generator that it met first, which may have no other owner.
            self._generator = self._generator or seed_generator()
        arrays = zip(self._headers, log_norms, masks, strict=True)
        readings = [
            Reading(layer, state, norms.numpy(), masked.numpy(), *ways)
            for (layer, state, *ways), norms, masked in arrays
        ]
        return float(loss), readings

    def _held(self) -> keras.Model:
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this pass is gone")
        return model

    def _eagerly(self, *leaves: tf.Tensor) -> tuple:
        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            return self._differentiate(*leaves, strict=False)
        finally:
            tf.config.run_functions_eagerly(before)

    def _differentiate(self, *leaves: tf.Tensor, strict: bool = True) -> tuple:
        """Return L, and for every state ln ||dl_b/dh_t|| and where it was masked, both (T, B)."""
        model = self._held()
        remaining = iter(leaves)
        x, y = keras.tree.map_structure(lambda spec: None if spec is None else next(remaining), self._specs)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            sites = Sites(tape, strict)
            with instrumented(model, sites):
                mode = {"training": self._training} if model._call_has_training_arg else {}
                prediction = model(x, **mode)
                loss, samples = objective(model, self._loss, x, y, prediction, self._training)
            sites.check(model)
            scale = _loss_scale(model, loss)
            scaled = loss * scale
        gradients = tape.gradient(scaled, [list(site.taps) for site in sites.calls])
        level = tf.math.log(tf.cast(samples, tf.float64)) - tf.math.log(tf.cast(scale, tf.float64))
        headers, log_norms, masks = [], [], []
        for site, of_states in zip(sites.calls, gradients, strict=True):
            for state, tap, gradient in zip(site.states, site.taps, of_states, strict=True):
                headers.append((site.name, state, site.go_backwards, site.read_at_every_step))
                log_norms.append(level + _log_norms(site, tap, gradient))
                masks.append(_masked(site, log_norms[-1]))
        self._headers = headers
        return loss, log_norms, masks


def _spec(data: tf.Tensor | None) -> tf.TensorSpec | None:
    return None if data is None else tf.TensorSpec(data.shape, data.dtype)


def _leaves(data: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(data) if leaf is not None]


def _loss_scale(model: keras.Model, loss: tf.Tensor) -> tf.Tensor:
    """By what training multiplies L, so that float16 gradients do not vanish in rounding; 1 without that."""
    one = tf.ones((), loss.dtype)
    optimizer = model.optimizer if model.compiled else None
    return one if optimizer is None else tf.cast(optimizer.scale_loss(one), loss.dtype)


def _log_norms(site: Site, tap: tf.Tensor, gradient: tf.Tensor | None) -> tf.Tensor:
    """Return ln ||.|| (T, B), in the order of the inputs' time; -inf where the loss does not depend on it."""
    if site.logarithmic:
        log_norms = (
            tf.fill(tf.shape(tap), tf.constant(-math.inf, tf.float64)) if gradient is None else gradient
        )
        return tf.reverse(log_norms, [0]) if site.go_backwards else log_norms
    gradient = tf.zeros_like(tap) if gradient is None else gradient
    return tf.transpose(log_norm(gradient))


def log_norm(gradient: tf.Tensor) -> tf.Tensor:
    """Return ln ||g_bt|| = ln m + ln ||g_bt / m||, m = max |g_bt|, (B, T) of g (B, T, ...)."""
    wide = tf.cast(gradient, tf.float64)
    units = list(range(2, len(wide.shape)))
    largest = tf.reduce_max(tf.abs(wide), axis=units, keepdims=True)
    largest = tf.where(tf.math.is_finite(largest) & (largest > 0), largest, tf.ones_like(largest))
    squares = tf.reduce_sum(tf.square(wide / largest), axis=units)
    return tf.reshape(tf.math.log(largest), tf.shape(squares)) + 0.5 * tf.math.log(squares)


def _masked(site: Site, log_norms: tf.Tensor) -> tf.Tensor:
    """Return where `site` has no step, (T, B) as `log_norms`."""
    if site.mask is None:
        return tf.zeros_like(log_norms, tf.bool)
    steps = tf.reshape(tf.cast(site.mask, tf.bool), tf.shape(site.mask)[:2])
    return tf.logical_not(tf.transpose(steps))
