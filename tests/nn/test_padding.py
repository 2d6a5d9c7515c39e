"""Sequences with padding in front against the same sequences without, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.losses import sequence_losses
from rnnexp.nn.padding import padded
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording

T, B, F, H, FIRST = 9, 2, 3, 4, 4
RNG = np.random.default_rng(0)
X = RNG.standard_normal((B, T, F))  # what stands before the first step is not looked at
WANTED = RNG.standard_normal((B, T, H))

WAYS = {"dtype": "float64", "kernel_initializer": keras.initializers.RandomNormal(seed=3)}
WAYS |= {"bias_initializer": keras.initializers.RandomNormal(seed=4)}
CELLS = {
    "tanh": ElmanCell(H, activation="tanh", **WAYS),
    "silu": ElmanCell(H, activation="silu", **WAYS),  # whose slope does not follow from the state
    "lstm": keras.layers.LSTMCell(H, **WAYS),
}


def found(cell, x, first=None, jit=False, **options):
    """States, gradients of weights and of h_0, and ln ||dL/dh_t||."""
    layer = RNN(cell, return_sequences=True, dtype="float64", **options)
    layer(X)
    begin = tf.constant(np.full((B, H), 0.3))
    begin = [begin, begin] if isinstance(cell, keras.layers.LSTMCell) else begin

    @tf.function(jit_compile=jit, autograph=False)
    def run(x, first):
        with tf.GradientTape() as tape, recording(tape, outputs_only=True) as record, padded(first):
            tape.watch(begin)
            states = layer(x, initial_state=begin)
            steps = x.shape[1] if first is None else T
            loss = tf.reduce_sum((WANTED[:, T - steps :] * states)[:, (FIRST if first is not None else 0) :])
        sources = (cell.trainable_variables, begin, list(record.taps.values()))
        return states, tape.gradient(loss, sources)

    return run(tf.constant(x), None if first is None else tf.constant(first))


@pytest.mark.parametrize(("name", "jit"), [("tanh", False), ("tanh", True), ("silu", False), ("lstm", False)])
def test_padding_changes_nothing(name, jit):
    cell = CELLS[name]
    states, (weights, begin, (norms,)) = found(cell, X[:, FIRST:])
    padded_states, (padded_weights, padded_begin, (padded_norms,)) = found(cell, X, FIRST, jit)
    np.testing.assert_allclose(padded_states[:, FIRST:], states, rtol=1e-12)
    pairs = zip(
        tf.nest.flatten([padded_weights, padded_begin]), tf.nest.flatten([weights, begin]), strict=True
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(padded_norms[FIRST:], norms, rtol=1e-11)
    assert np.isneginf(padded_norms[:FIRST]).all()


def test_cuts_are_counted_from_the_end():
    _, (weights, *_) = found(CELLS["tanh"], X[:, FIRST:], truncate=2)
    _, (padded_weights, *_) = found(CELLS["tanh"], X, FIRST, truncate=2)
    for one, other in zip(padded_weights, weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_a_first_step_of_zero_is_no_padding():
    plain, same = found(CELLS["tanh"], X)[0], found(CELLS["tanh"], X, 0)[0]
    np.testing.assert_array_equal(plain, same)


def test_losses_leave_out_the_padding():
    y, prediction = RNG.integers(H, size=(B, T)), RNG.standard_normal((B, T, H))
    expected = sequence_losses("cross_entropy", y[:, FIRST:], prediction[:, FIRST:])
    result = sequence_losses("cross_entropy", y, prediction, tf.constant(FIRST))
    np.testing.assert_allclose(result, expected, rtol=1e-14)


def test_segments_know_no_padding():
    layer = RNN(CELLS["tanh"], segment=3, dtype="float64")
    with pytest.raises(ValueError, match="no segments"), padded(tf.constant(2)):
        layer(X)
