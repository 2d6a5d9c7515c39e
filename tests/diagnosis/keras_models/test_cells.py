"""Jacobians and exponents of any Keras cell against products of Jacobians by a tape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import jacobian, lyapunov, sensitivity
from rnnexp.runtime.checks import ArgumentError

B, T, F, H = 2, 4, 3, 3
X = np.random.default_rng(0).normal(size=(B, T, F))
MASK = np.array([[1, 0, 1, 1], [0, 0, 1, 1]], bool)


def steps_of(cell, x, mask=None, backwards=False):
    """J_t of every sample and step that counts, by a tape over a Python loop in float64."""
    structure = cell.get_initial_state(batch_size=B)
    structure = structure if keras.tree.is_nested(structure) else [structure]
    sizes = [state.shape[1] for state in keras.tree.flatten(structure)]
    counts = np.ones((B, T), bool) if mask is None else mask
    joined, found = tf.zeros((B, sum(sizes)), tf.float64), [list[np.ndarray]() for _ in range(B)]
    for t in range(T)[::-1] if backwards else range(T):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(joined)
            states = keras.tree.pack_sequence_as(structure, tf.split(joined, sizes, axis=1))
            after = tf.concat(keras.tree.flatten(cell(tf.constant(x[:, t]), states)[1]), axis=1)
        jacobians = tape.batch_jacobian(after, joined, experimental_use_pfor=False).numpy()
        for b in np.flatnonzero(counts[:, t]):
            found[b].append(jacobians[b])
        joined = tf.where(counts[:, t, None], after, joined)
    return found


LAYERS = {
    "lstm": (lambda: kl.LSTM(H, dtype="float64", name="r"), None),
    "backwards": (lambda: kl.GRU(H, dtype="float64", go_backwards=True, name="r"), None),
    "masked": (lambda: kl.SimpleRNN(H, dtype="float64", name="r"), MASK),
    "stack": (
        lambda: kl.RNN(
            kl.StackedRNNCells(
                [kl.SimpleRNNCell(H, dtype="float64"), kl.LSTMCell(2, dtype="float64")], dtype="float64"
            ),
            dtype="float64",
            name="r",
        ),
        None,
    ),
}


def model_of(name):
    keras.utils.set_random_seed(0)
    make, mask = LAYERS[name]
    layer = make()
    inputs = keras.Input((T, F), dtype="float64")
    masked = inputs if mask is None else kl.Masking(dtype="float64")(inputs)
    x = X if mask is None else X * mask[..., None]
    return keras.Model(inputs, layer(masked)), layer, tf.constant(x), mask


@pytest.mark.parametrize("name", LAYERS)
def test_singular_values_are_those_of_the_product(name):
    model, layer, x, mask = model_of(name)
    steps = steps_of(layer.cell, X, mask, layer.go_backwards)
    found = jacobian(model, x, lags=[T - 1, 0])["r"]
    # Of lag T-1: all steps but the first, which for a masked sample may be none of those that count.
    skip = [1 if mask is None or mask[b, 0] else 0 for b in range(B)]
    for b, jacobians in enumerate(steps):
        product = np.linalg.multi_dot(jacobians[skip[b] :][::-1])
        sigma = np.linalg.svd(product, compute_uv=False)
        np.testing.assert_allclose(np.exp(found.log_sigma[-1, b, 0]), sigma[0], rtol=1e-8)
    # The sum of all exponents is ln |det J_t|, averaged over time.
    spectrum = lyapunov(model, x, warm_up=0)["r"]
    volumes = [sum(np.linalg.slogdet(each)[1] for each in jacobians) / T for jacobians in steps]
    np.testing.assert_allclose(spectrum.exponents.sum(), np.mean(volumes), rtol=1e-6)


def test_a_convolutional_cell_has_jacobians():
    model = keras.Sequential([keras.Input((3, 4, 1)), kl.ConvLSTM1D(2, 3, padding="same", name="r")])
    found = jacobian(model, np.ones((1, 3, 4, 1)), lags=[1])["r"]
    assert found.log_sigma.shape == (1, 1, 2 * 4 * 2)


def test_the_model_is_left_as_it_was():
    model, layer, x, _ = model_of("lstm")
    attributes = set(vars(layer)), type(layer)
    weights = model.get_weights()
    jacobian(model, x)
    assert (set(vars(layer)), type(layer)) == attributes
    keras.tree.map_structure(np.testing.assert_array_equal, model.get_weights(), weights)


def test_a_model_without_recurrence_is_refused():
    model = keras.Sequential([keras.Input((F,)), kl.Dense(1)])
    with pytest.raises(ArgumentError, match="^model: "):
        jacobian(model, X[:, 0])


def jacobian_by_tape(model, x):
    """dy/dx of every sample, (B, O, T, F)."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = model(x)
    return tape.batch_jacobian(y, x, experimental_use_pfor=False).numpy()


def log_rms(jacobians):
    """ln rms_b ||dy_T/dx_t||, lag 0 first."""
    return 0.5 * np.log(np.mean(np.sum(jacobians**2, axis=(1, 3)), axis=0))[::-1]


def test_how_far_back_a_model_looks():
    model, *_ = model_of("lstm")
    found = sensitivity(model, tf.constant(X))
    np.testing.assert_allclose(found.log_norm, log_rms(jacobian_by_tape(model, tf.constant(X))), rtol=1e-8)
    norms = np.exp(found.log_norm)
    assert found.lag_within(0.95) == np.argmax(np.cumsum(norms) >= 0.95 * norms.sum())


def test_tokens_are_taken_at_their_embedding():
    inputs = keras.Input((T,), dtype="int32")
    embedding = kl.Embedding(5, F)
    rnn = kl.SimpleRNN(H, return_sequences=True)
    model = keras.Model(inputs, rnn(embedding(inputs)))
    tokens = np.random.default_rng(0).integers(0, 5, size=(B, T))
    upper = keras.Sequential([keras.Input((T, F)), rnn, kl.Lambda(lambda y: y[:, -1])])
    expected = log_rms(jacobian_by_tape(upper, embedding(tokens)))
    np.testing.assert_allclose(sensitivity(model, tokens).log_norm, expected, rtol=1e-4)


def test_many_outputs_are_taken_by_random_signs():
    rnn, head = kl.SimpleRNN(H), kl.Dense(400)
    model = keras.Sequential([keras.Input((T, F)), rnn, head])
    x = tf.constant(X, tf.float32)
    jacobians = np.einsum("ho,bhtf->botf", head.kernel.numpy(), jacobian_by_tape(rnn, x))
    np.testing.assert_allclose(sensitivity(model, x).log_norm, log_rms(jacobians), atol=0.3)


def test_inputs_without_a_sequence_are_refused():
    model = keras.Sequential([keras.Input((F,)), kl.Dense(1)])
    with pytest.raises(ArgumentError, match="^x: expected a sequence"):
        sensitivity(model, X[:, 0])
