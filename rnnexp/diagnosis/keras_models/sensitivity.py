"""How far back a trained Keras model looks: the derivative of its last output by every input."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnexp.diagnosis.keras_models.data import first_batch
from rnnexp.diagnosis.keras_models.preservation import preserved
from rnnexp.diagnosis.keras_models.reachable import layers_of
from rnnexp.nn.tapped_step import covered
from rnnexp.probes.sensitivity import InputSensitivity
from rnnexp.runtime.checks import ArgumentError, integer

_SAMPLES = 16
_OUTPUTS = 64
"""Beyond so many outputs, random signs of them stand for all: E ||v^T J||^2 = ||J||_F^2."""


def sensitivity(model: keras.Model, x: Any, samples: int = _SAMPLES) -> InputSensitivity:
    """Measure ||dy_T/dx_t|| against the lag T - t.

        log_norm_k = 1/2 ln mean_b ||dy_{T,b}/dx_{T-k,b}||_F^2      nats

    y_T is the model's output (B, O), or the last one of (B, T, O); x the first input that is a sequence
    (B, T, ...), or what an Embedding makes of tokens. Unlike dl/dh_t it does not depend on the loss: a model
    that has learnt its task has no gradient left, and looks as far back as ever. `lag_within(.95)` of the
    result is the lag within which 95 % of the norms lie. Norms under 1e-38 of float32 are exact zeros.

    Args:
        model: A built model.
        x: One batch of inputs, as for `gradient_flow`.
        samples: How many samples of it to take.

    Raises:
        ArgumentError: There is no sequence of floating numbers and no Embedding, or `samples` is below 1.

    Examples:
        >>> half = keras.initializers.Identity(0.5)
        >>> layer = keras.layers.SimpleRNN(1, "linear", kernel_initializer="ones", recurrent_initializer=half)
        >>> model = keras.Sequential([keras.Input((4, 1)), layer])
        >>> np.exp(sensitivity(model, np.ones((1, 4, 1))).log_norm)
        array([1.   , 0.5  , 0.25 , 0.125])
    """
    batch = first_batch(model, x).x
    taken = keras.tree.map_structure(lambda leaf: leaf[: integer("samples", samples, 1)], batch)
    with preserved(model, training=False):
        rows = tf.function(_squares, autograph=False)(model, taken).numpy()
    with np.errstate(divide="ignore"):
        return InputSensitivity(0.5 * np.log(rows[::-1].astype(np.float64)))


def _squares(model: keras.Model, x: Any) -> tf.Tensor:
    """mean_b ||dy_{T,b}/dx_{t,b}||_F^2, (T,): one backward pass over every sample for every output."""
    outputs = _last(model(x, training=False)).shape[1]
    count = min(outputs, _OUTPUTS)
    rows = keras.tree.map_structure(lambda leaf: tf.repeat(leaf, count, axis=0), x)
    with tf.GradientTape(watch_accessed_variables=False) as tape, _sources(model, rows, tape) as sources:
        last = _last(model(rows, training=False))
    if not sources:
        raise ArgumentError("x", "a sequence of floating numbers, or tokens for an Embedding", "neither")
    samples = tf.shape(last)[0] // count
    seeds = tf.eye(outputs, dtype=last.dtype) if count == outputs else _signs(count, outputs, last.dtype)
    gradient = tape.gradient(last, sources[0], tf.tile(seeds, (samples, 1)), unconnected_gradients="zero")
    wide = tf.cast(gradient, tf.float64)
    squares = tf.reduce_sum(tf.square(wide), axis=[0, *range(2, wide.shape.rank)])
    return squares / tf.cast(samples, tf.float64) / (1 if count == outputs else count)


def _last(output: Any) -> tf.Tensor:
    first = keras.tree.flatten(output)[0]
    return first[:, -1] if first.shape.rank == 3 else first


def _signs(count: int, outputs: int, dtype: tf.DType) -> tf.Tensor:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(count, outputs))
    return tf.constant(signs, dtype)


@contextlib.contextmanager
def _sources(model: keras.Model, x: Any, tape: tf.GradientTape) -> Iterator[list[tf.Tensor]]:
    """Watch the first sequence of floating numbers, or else what the first Embedding makes."""
    sequences = [leaf for leaf in keras.tree.flatten(x) if leaf.dtype.is_floating and leaf.shape.rank >= 3]
    found = sequences[:1]
    tape.watch(found)
    with contextlib.ExitStack() as covers:
        if not found:
            for layer in layers_of(model):
                if isinstance(layer, keras.layers.Embedding):
                    covers.enter_context(covered(layer, "call", _watched(layer.call, tape, found)))
        yield found


def _watched(call, tape: tf.GradientTape, found: list[tf.Tensor]):
    def watching(*args, **kwargs):
        made = call(*args, **kwargs)
        tape.watch(made)
        found.append(made)
        return made

    return watching
