"""Truncated back-propagation against a tape over an unrolled loop with `tf.stop_gradient`, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording
from rnnexp.runtime.checks import ArgumentError

T, B, F, H = 11, 3, 2, 4
RNG = np.random.default_rng(0)
X = RNG.standard_normal((B, T, F))
WANTED = RNG.standard_normal((B, T, H))
"""Weights of the loss: every state has a direct term, or the last one alone."""


def cells():
    ways = {"dtype": "float64", "kernel_initializer": keras.initializers.RandomNormal(seed=3)}
    yield "tanh", ElmanCell(H, activation="tanh", **ways)
    yield "silu", ElmanCell(H, activation="silu", **ways)  # whose slope does not follow from the state
    yield "gru", keras.layers.GRUCell(H, **ways)
    yield "lstm", keras.layers.LSTMCell(H, **ways)


CELLS = dict(cells())


def loss_of(states, every_step):
    return tf.reduce_sum(WANTED * states) if every_step else tf.reduce_sum(WANTED[:, -1] * states[:, -1])


def unrolled(cell, truncate, every_step):
    """Gradients of all weights and ||dL/dh_t||, by a tape over a Python loop."""
    with tf.GradientTape() as tape:
        states, handed = cell.get_initial_state(B), []
        states = states if isinstance(states, list) else [states]
        nudges = [tf.zeros((B, H), tf.float64) for _ in range(T)]
        tape.watch(nudges)
        for t in range(T):
            if (T - t) % truncate == 0:
                states = [tf.stop_gradient(state) for state in states]
            _, states = cell(X[:, t], states)
            states = list(states) if isinstance(states, list | tuple) else [states]
            states[0] = states[0] + nudges[t]
            handed.append(states[0])
        loss = loss_of(tf.stack(handed, 1), every_step)
    gradients, by_step = tape.gradient(loss, (cell.trainable_variables, nudges), unconnected_gradients="zero")
    return gradients, [float(tf.norm(each)) for each in by_step]


def layered(cell, truncate, every_step, recorded=True, jit=False):
    layer = RNN(cell, return_sequences=every_step, truncate=truncate, dtype="float64")
    layer(X)  # the one call that Keras makes by itself to build it

    def loss():
        states = layer(X)
        return loss_of(states if every_step else states[:, tf.newaxis], every_step)

    @tf.function(jit_compile=jit, autograph=False)
    def differentiated():
        if recorded:
            with tf.GradientTape() as tape, recording(tape, outputs_only=True) as record:
                value = loss()
            return tape.gradient(value, (cell.trainable_variables, list(record.taps.values())))
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, cell.trainable_variables), []

    gradients, norms = differentiated()
    return gradients, np.exp(norms[0]) if recorded else None


@pytest.mark.parametrize(
    ("name", "truncate", "every_step"),
    [
        *(("tanh", truncate, every_step) for truncate in (1, 4) for every_step in (True, False)),
        *(("tanh", 11, True), ("tanh", 20, True), ("silu", 4, True)),
        *(("gru", 4, True), ("lstm", 4, True), ("lstm", 3, False)),
    ],
)
def test_it_is_the_tape_with_cuts(name, truncate, every_step):
    expected, by_step = unrolled(CELLS[name], truncate, every_step)
    found, norms = layered(CELLS[name], truncate, every_step)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(norms, by_step, rtol=1e-10, atol=1e-300)


def test_it_is_the_same_unrecorded():
    expected, _ = layered(CELLS["lstm"], 4, True)
    found, _ = layered(CELLS["lstm"], 4, True, recorded=False)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_xla_gives_the_same():
    cell = CELLS["tanh"]
    expected, by_step = unrolled(cell, 4, True)
    found, norms = layered(cell, 4, True, jit=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(norms, by_step, rtol=1e-10)


def test_states_run_on_over_the_cuts():
    cell = CELLS["tanh"]
    plain, cut = (RNN(cell, return_sequences=True, truncate=k, dtype="float64")(X) for k in (None, 3))
    np.testing.assert_array_equal(plain, cut)


@pytest.mark.parametrize(("truncate", "reaches"), [(4, True), (11, False), (20, True)])
def test_the_initial_state_is_before_the_first_step(truncate, reaches):
    """T = 11: of chunks of 4 the first one has 3 steps and no border before it; a chunk of 11 has one."""
    begin = tf.constant(np.full((B, H), 0.3))
    layer = RNN(CELLS["tanh"], return_sequences=True, truncate=truncate, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(begin)
        loss = tf.reduce_sum(WANTED * layer(X, initial_state=begin))
    assert bool(tf.reduce_any(tape.gradient(loss, begin) != 0)) == reaches


def test_segments_are_not_cut():
    with pytest.raises(ArgumentError, match="segment: expected None together with truncate"):
        RNN(ElmanCell(2), segment=3, truncate=3)
