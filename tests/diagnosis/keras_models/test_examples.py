"""Published Keras examples, their architectures unchanged, on few random rows of the same shape."""

import keras
import numpy as np
import pytest
from keras import layers

from rnnexp.diagnosis.keras_models import gradient_flow

DRAW = np.random.default_rng(0)


def imdb():
    """keras.io/examples/nlp/bidirectional_lstm_imdb: maxlen 200, vocabulary 20,000."""
    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(20000, 128)(inputs)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(64))(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model, DRAW.integers(0, 20000, size=(4, 200)), DRAW.integers(0, 2, size=(4,))


def irnn():
    """mnist_irnn of Keras' examples: Le, Jaitly, Hinton 2015 (https://arxiv.org/abs/1504.00941)."""
    model = keras.Sequential([
        keras.Input((784, 1)),
        layers.SimpleRNN(
            100,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            recurrent_initializer=keras.initializers.Identity(gain=1.0),
            activation="relu",
        ),
        layers.Dense(10),
        layers.Activation("softmax"),
    ])  # fmt: skip
    optimizer = keras.optimizers.RMSprop(learning_rate=1e-6)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    pixels = DRAW.uniform(size=(4, 784, 1)) * (DRAW.uniform(size=(4, 784, 1)) < 0.2)
    return model, pixels.astype("float32"), keras.utils.to_categorical(DRAW.integers(0, 10, size=4), 10)


def characters():
    """keras.io/examples/generative/lstm_character_level_text_generation: maxlen 40."""
    chars = 60
    model = keras.Sequential([
        keras.Input(shape=(40, chars)),
        layers.LSTM(128),
        layers.Dense(chars, activation="softmax"),
    ])  # fmt: skip
    optimizer = keras.optimizers.RMSprop(learning_rate=0.01)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    x = keras.utils.to_categorical(DRAW.integers(0, chars, size=(16, 40)), chars)
    y = keras.utils.to_categorical(DRAW.integers(0, chars, size=16), chars)
    return model, x.astype(bool), y.astype(bool)


FOUND = {
    imdb: {
        "bidirectional/forward_lstm": ["h", "c"],
        "bidirectional/backward_lstm": ["h", "c"],
        "bidirectional_1/forward_lstm_1": ["h", "c"],
        "bidirectional_1/backward_lstm_1": ["h", "c"],
    },
    irnn: {"simple_rnn": ["h"]},
    characters: {"lstm": ["h", "c"]},
}


@pytest.fixture(params=FOUND, ids=lambda build: build.__name__)
def example(request):
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    return request.param, *request.param()


def kinds_and_attributes(model):
    """Types and attributes of all layers, without the masks that any first call gives to cells."""
    masks = {"_dropout_mask", "_recurrent_dropout_mask"}
    return [(type(layer), set(vars(layer)) - masks) for layer in model._flatten_layers()]


def test_an_example_is_diagnosed_and_stays_as_it_is(example):
    build, model, x, y = example
    trained = build is not imdb  # whose training step takes seconds to trace
    if trained:
        model.fit(x, y, verbose=0)
    weights, train_function = model.get_weights(), model.train_function
    before = kinds_and_attributes(model)
    flow = gradient_flow(model, x, y)
    assert {layer: list(states) for layer, states in flow.layers.items()} == FOUND[build]
    for state in flow.states:
        assert state.log_norms.shape == x.shape[1::-1]
        assert np.isfinite(state.profile.rate)
    keras.tree.map_structure(np.testing.assert_array_equal, model.get_weights(), weights)
    assert kinds_and_attributes(model) == before
    if trained:
        model.fit(x, y, verbose=0)
    assert model.train_function is train_function
    if build is irnn:
        # J_t = diag(phi'): at W = I the gradient of every unit is held or cut, never scaled.
        assert flow.layers["simple_rnn"]["h"].verdict == "stable"
