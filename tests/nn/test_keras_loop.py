"""Taps against a recurrence and its adjoint as plain loops over NumPy arrays, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.nn.keras_loop import tapped_loop, zero_taps
from rnnexp.nn.tapped_step import TappedStep

B, T, F, H = 3, 5, 2, 4
RTOL = 1e-12
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(B, T, F))
READOUT = DRAW.normal(size=(B, T, H))
TAPS = DRAW.normal(size=(B, T, H))
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 0, 0, 1, 0]], bool)


class Decay(keras.layers.Layer):
    """A cell that counts its steps, and whose output is no state: h_t = h_{t-1} / 2 + x_t, y_t = 3 h_t."""

    state_size, output_size = (1, F), F

    def call(self, inputs, states):
        count, h = states
        h = h / 2 + inputs
        return 3 * h, [count + 1, h]

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, 1), tf.int32), tf.zeros((batch_size, F), tf.float64)]


def simple(**options):
    keras.utils.set_random_seed(1)
    layer = kl.SimpleRNN(
        H, return_sequences=True, dtype="float64", bias_initializer="random_normal", **options
    )
    layer.build((B, T, F))
    return layer


def run(layer, x=X, taps=None, mask=None):
    """(last, outputs, states) and dl/de of every tap e that there is, l = sum <READOUT, outputs>."""
    sequences = tf.constant(x)
    state = layer.get_initial_state(batch_size=len(x))
    taps = zero_taps(sequences, state) if taps is None else taps
    given = [tap for tap in taps if tap is not None]
    with tf.GradientTape() as tape:
        tape.watch(given)
        result, _ = tapped_loop(
            layer, taps, sequences, state, None if mask is None else tf.constant(mask), training=False
        )
        loss = tf.reduce_sum(READOUT[:, : x.shape[1], : result[1].shape[-1]] * result[1])
    return result, tape.gradient(loss, given)


def by_hand(layer, x, taps):
    """h_t = tanh(x_t W + h_{t-1} U + b) + e_t, and its slope (1 - (h_t - e_t)^2)."""
    kernel, recurrent, bias = layer.get_weights()
    states = [np.zeros((len(x), H))]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ kernel + states[-1] @ recurrent + bias) + taps[:, t])
    return np.stack(states[1:], axis=1)


def adjoint(layer, states, taps, direct):
    """dl/dh_t = g_t + dl/dh_{t+1} diag(slope_{t+1}) U^T, (B, T, H)."""
    _, recurrent, _ = layer.get_weights()
    found, carried = np.zeros_like(direct), np.zeros(direct[:, 0].shape)
    for t in reversed(range(direct.shape[1])):
        found[:, t] = direct[:, t] + carried
        carried = (found[:, t] * (1 - (states[:, t] - taps[:, t]) ** 2)) @ recurrent.T
    return found


@pytest.mark.parametrize("size", [0.0, 1.0])
def test_tapped_states_and_gradients_match_the_recurrence(size):
    layer, taps = simple(), size * TAPS
    (last, outputs, (state,)), (gradient,) = run(layer, taps=[tf.constant(taps)])
    expected = by_hand(layer, X, taps)
    np.testing.assert_allclose(outputs, expected, rtol=RTOL)
    np.testing.assert_array_equal(last, outputs[:, -1])
    np.testing.assert_array_equal(state, last)
    np.testing.assert_allclose(gradient, adjoint(layer, expected, taps, READOUT), rtol=RTOL)


def test_taps_of_a_backwards_layer_follow_the_input_order():
    layer = simple(go_backwards=True)
    (_, outputs, _), (gradient,) = run(layer, taps=[tf.constant(TAPS)])
    expected = by_hand(layer, X[:, ::-1], TAPS[:, ::-1])
    np.testing.assert_allclose(outputs, expected, rtol=RTOL)
    processed = adjoint(layer, expected, TAPS[:, ::-1], READOUT)
    np.testing.assert_allclose(gradient, processed[:, ::-1], rtol=RTOL)


@pytest.mark.parametrize("zero_output", [False, True])
def test_masked_steps_get_no_gradient_others_as_if_removed(zero_output):
    layer = simple(zero_output_for_mask=zero_output)
    (_, outputs, _), (gradient,) = run(layer, mask=MASK)
    assert not np.any(gradient.numpy()[~MASK])
    for b, there in enumerate(MASK):
        x = X[b : b + 1, there]
        states = by_hand(layer, x, np.zeros((1, len(x[0]), H)))
        np.testing.assert_allclose(outputs[b][there], states[0], rtol=RTOL)
        # What a masked step hands on again is read again, but for a zero in its place.
        direct = np.zeros_like(states)
        for t in np.flatnonzero(there if zero_output else there.cumsum() > 0):
            direct[0, there[: t + 1].sum() - 1] += READOUT[b, t]
        expected = adjoint(layer, states, np.zeros_like(states), direct)[0]
        np.testing.assert_allclose(gradient[b][there], expected, rtol=RTOL)


@pytest.mark.parametrize("kind", [kl.SimpleRNN, kl.LSTM, kl.GRU])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_zero_taps_change_no_value_of_keras_loop(kind, mask):
    layer = kind(H, return_sequences=True, dtype="float64")
    layer.build((B, T, F))
    found, _ = run(layer, mask=mask)
    expected = keras.layers.RNN.inner_loop(
        layer, tf.constant(X), layer.get_initial_state(B), None if mask is None else tf.constant(mask)
    )
    keras.tree.map_structure(np.testing.assert_array_equal, found, expected)


def test_a_state_without_a_tap_is_as_it_was():
    layer = kl.LSTM(H, return_sequences=True, dtype="float64")
    layer.build((B, T, F))
    sequences, state = tf.constant(X), layer.get_initial_state(B)
    both, (of_h, of_c) = run(layer)
    one, (alone,) = run(layer, taps=[zero_taps(sequences, state)[0], None])
    keras.tree.map_structure(np.testing.assert_array_equal, one, both)
    np.testing.assert_array_equal(alone, of_h)
    assert not np.array_equal(of_h, of_c)


def test_the_upper_cell_reads_the_tapped_state_of_its_step():
    cells = [kl.SimpleRNNCell(H, activation="linear", dtype="float64") for _ in range(2)]
    layer = kl.RNN(cells, return_sequences=True, dtype="float64")
    layer.build((B, T, F))
    taps = [tf.constant(TAPS[:, :1]), tf.constant(TAPS[:, 1:2])]
    (_, outputs, _), (lower, upper) = run(layer, X[:, :1], taps)
    first = X[:, 0] @ cells[0].get_weights()[0] + TAPS[:, 0]
    kernel = cells[1].get_weights()[0]
    np.testing.assert_allclose(outputs[:, 0], first @ kernel + TAPS[:, 1], rtol=RTOL)
    np.testing.assert_allclose(upper[:, 0], READOUT[:, 0], rtol=RTOL)
    np.testing.assert_allclose(lower[:, 0], READOUT[:, 0] @ kernel.T, rtol=RTOL)


def test_output_from_a_state_is_tapped_integer_states_are_not():
    layer = kl.RNN(Decay(dtype="float64"), return_sequences=True, dtype="float64")
    (_, outputs, (count, _)), (gradient,) = run(layer)
    np.testing.assert_array_equal(count, np.full((B, 1), T))
    readout = 3 * READOUT[:, :, :F]
    read = [sum(readout[:, s] / 2.0 ** (s - t) for s in range(t, T)) for t in range(T)]
    np.testing.assert_allclose(gradient, np.stack(read, axis=1), rtol=RTOL)
    np.testing.assert_allclose(outputs[:, 1], 3 * (X[:, 0] / 2 + X[:, 1]), rtol=RTOL)


def test_zero_taps_take_known_shape_and_dtype_of_states():
    @tf.function(
        input_signature=[tf.TensorSpec([None, T, F]), tf.TensorSpec([None, 2, H], tf.float16)],
        autograph=False,
    )
    def taps(sequences, state):
        found = zero_taps(sequences, [state, tf.cast(state, tf.int32)])
        assert [tap.shape.as_list() for tap in found] == [[None, T, 2, H]]
        return found

    (found,) = taps(tf.ones((B, T, F)), tf.ones((B, 2, H), tf.float16))
    assert found.dtype == tf.float16
    np.testing.assert_array_equal(found, np.zeros((B, T, 2, H)))


class OwnLSTMCell(kl.LSTMCell):
    pass


class Swapped(kl.LSTMCell):
    """States (c, h)."""

    def call(self, inputs, states, training=False):
        h, (_, c) = super().call(inputs, states[::-1], training)
        return h, [c, h]


class Named(kl.GRUCell):
    state_names = ("memory",)


class Cut(keras.layers.Layer):
    """Of two states neither is the output."""

    state_size, output_size = [1, 1], 1

    def call(self, inputs, states):
        return inputs[:, :1], [states[0] + 1.0, 2 * states[1]]


CELLS = {
    "gru": (kl.GRUCell, ["h"], [0]),
    "lstm": (OwnLSTMCell, ["h", "c"], [0]),
    "states in another order": (Swapped, ["c", "h"], [1]),
    "names of its own": (Named, ["memory"], [0]),
    "a stack": (
        lambda _: kl.StackedRNNCells(
            [kl.GRUCell(1), kl.StackedRNNCells([kl.SimpleRNNCell(1), OwnLSTMCell(1)])]
        ),
        ["cell_0/h", "cell_1/cell_0/h", "cell_1/cell_1/h", "cell_1/cell_1/c"],
        [0, 1, 2],
    ),
    "no state is the output": (lambda _: Cut(), ["state_0", "state_1"], []),
}


@pytest.mark.parametrize("name", CELLS)
def test_states_are_named_and_the_ones_handed_on_are_known(name):
    make, names, handed_on = CELLS[name]
    cell = make(1)
    layer = kl.RNN(cell)
    layer.build((B, T, 1))
    states = layer.get_initial_state(B)
    step = TappedStep(cell, training=False)
    count = len(keras.tree.flatten(states))
    step(tf.ones((B, 1)), [*states, step.initial_flags(states)], [None] * count)
    assert step.names([False] * count) == (names, handed_on)


def test_a_traced_cell_hands_out_what_the_plain_one_does():
    class Traced(kl.SimpleRNNCell):
        call = tf.function(kl.SimpleRNNCell.call)

    layer = simple()
    traced = kl.RNN(Traced(H, dtype="float64"), return_sequences=True, dtype="float64")
    traced.build((B, T, F))
    traced.set_weights(layer.get_weights())
    for mask in (None, MASK):
        for found, expected in zip(run(traced, mask=mask)[1], run(layer, mask=mask)[1], strict=True):
            np.testing.assert_allclose(found, expected, rtol=RTOL)
