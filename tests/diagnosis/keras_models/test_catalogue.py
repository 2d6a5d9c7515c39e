"""Models as people write them: each is diagnosed without complaint, and is afterwards what it was before."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import gradient_flow
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN

B, T, F = 4, 6, 3


class Decay(keras.layers.Layer):
    """A cell with a counter among its states, and an output that is none of them."""

    state_size, output_size = (2, 1), 2

    def call(self, inputs, states):
        h, count = states
        h = 0.9 * h + inputs[:, :2]
        return 2 * h, [h, count + 1]

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, 2)), tf.zeros((batch_size, 1), tf.int32)]


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = keras.Sequential(
            [kl.SimpleRNN(4, return_sequences=True), kl.SimpleRNN(3)], name="encoder"
        )
        self.heads = [kl.Dense(2), kl.Dense(1)]

    def call(self, inputs, training=False):
        hidden = self.encoder(inputs, training=training)
        for head in self.heads:
            hidden = head(hidden)
        return hidden


class Decorated(Subclassed):
    call = tf.function(Subclassed.call)


class OwnStep(keras.Model):
    """A training step by hand, with the loss of `compile` and metrics of its own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


class OwnLoss(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = keras.metrics.Mean(name="seen")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = tf.reduce_mean(tf.square(y - y_pred))
        self.seen.update_state(loss)
        return loss


class Eager(Subclassed):
    def call(self, inputs, training=False):
        assert np.isfinite(inputs.numpy()).all()
        return super().call(inputs, training)


def sequential(*members, tokens=False, stateful=False, head=True, dtype=None, **compiling):
    shape = (T,) if tokens else (T, F)
    start = keras.Input(batch_shape=(B, *shape)) if stateful else keras.Input(shape)
    model = keras.Sequential([start, *members, *([kl.Dense(1, dtype=dtype)] if head else [])])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiling})
    return model


def functional(build, kind=keras.Model, **compiling):
    inputs = keras.Input((T, F))
    model = kind(inputs, build(inputs))
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiling})
    return model


def subclassed(kind=Subclassed, **compiling):
    model = kind()
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiling})
    model(tf.zeros((B, T, F)))
    return model


def mixed():
    policy = keras.DTypePolicy("mixed_float16")
    return sequential(kl.LSTM(4, dtype=policy), kl.Dense(1, dtype=policy), head=False, optimizer="adam")


def two_heads(**compiling):
    def build(inputs):
        hidden, _ = kl.SimpleRNN(4, return_state=True)(inputs)
        return [kl.Dense(1, name="a")(hidden), kl.Dense(1, name="b")(hidden)]

    return functional(build, **compiling)


def encoder_decoder():
    def build(inputs):
        _, *state = kl.LSTM(4, return_state=True, name="encoder")(inputs)
        return kl.Dense(1)(kl.LSTM(4, name="decoder")(inputs, initial_state=state))

    return functional(build)


def split_bidirectional():
    def build(inputs):
        return kl.Dense(1)(kl.add(kl.Bidirectional(kl.SimpleRNN(3), merge_mode=None)(inputs)))

    return functional(build)


def added_loss():
    def build(inputs):
        hidden = kl.SimpleRNN(3, activity_regularizer="l2", kernel_regularizer="l2")(inputs)
        return kl.Dense(1)(kl.ActivityRegularization(0.1)(hidden))

    return functional(build)


def stacked(*cells):
    return lambda: sequential(kl.RNN(list(cells)))


def embedded(*members):
    return lambda: sequential(kl.Embedding(9, F, mask_zero=True), *members, tokens=True)


# Beside the plain, stacked, shared, masked and backward ones of the tests of twins, kinds and gradient_flow,
# and the compiled ones of the tests of what is left untouched.
ARCHITECTURES = {
    "gru reset before": lambda: sequential(kl.GRU(4, reset_after=False)),
    "stack of one": stacked(kl.LSTMCell(2)),
    "custom cell": lambda: sequential(kl.RNN(Decay(), return_sequences=True), kl.GlobalMaxPooling1D()),
    "scan, one of two backwards": lambda: sequential(
        RNN(ElmanCell(4), return_sequences=True, go_backwards=True), RNN(ElmanCell(3))
    ),
    "scan that falls back": lambda: sequential(RNN(kl.GRUCell(4))),
    "scan, masked": embedded(RNN(ElmanCell(4))),
    "bidirectional mul": lambda: sequential(kl.Bidirectional(kl.SimpleRNN(3), merge_mode="mul")),
    "bidirectional apart": split_bidirectional,
    "bidirectional, masked": embedded(
        kl.Bidirectional(kl.SimpleRNN(2, return_sequences=True)), kl.SimpleRNN(2)
    ),
    "zero output": embedded(
        kl.SimpleRNN(3, return_sequences=True, zero_output_for_mask=True), kl.SimpleRNN(2)
    ),
    "time distributed head": lambda: sequential(
        kl.SimpleRNN(3, return_sequences=True), kl.TimeDistributed(kl.Dense(2)), kl.GlobalAveragePooling1D()
    ),
    "unrolled": lambda: sequential(kl.SimpleRNN(3, unroll=True)),
    "return state": encoder_decoder,
    "convolutional": lambda: sequential(
        kl.Reshape((T, F, 1)), kl.ConvLSTM1D(2, 3, padding="same"), kl.Flatten()
    ),
    "dropout": lambda: sequential(
        kl.SimpleRNN(3, dropout=0.2, return_sequences=True),
        kl.Dropout(0.5),
        kl.SimpleRNN(3, recurrent_dropout=0.3),
    ),
    "batch normalisation": lambda: sequential(
        kl.BatchNormalization(), kl.SimpleRNN(3), kl.LayerNormalization()
    ),
    "stateful lstm": lambda: sequential(kl.LSTM(3, stateful=True), stateful=True),
    "stateful scan": lambda: sequential(RNN(ElmanCell(3), stateful=True), stateful=True),
    "stateful bidirectional": lambda: sequential(
        kl.Bidirectional(kl.SimpleRNN(3, stateful=True)), stateful=True
    ),
    "float64": lambda: sequential(kl.SimpleRNN(3, dtype="float64"), dtype="float64"),
    "float16": mixed,
}

SETTINGS = {
    "subclassed": subclassed,
    "own tf.function": lambda: subclassed(Decorated),
    "own training step": lambda: functional(lambda x: kl.Dense(1)(kl.SimpleRNN(3)(x)), OwnStep),
    "own compute_loss": lambda: functional(lambda x: kl.Dense(1)(kl.SimpleRNN(3)(x)), OwnLoss, loss=None),
    "added losses": added_loss,
    "jit scan": lambda: sequential(RNN(ElmanCell(3)), jit_compile=True),
    "eager": lambda: subclassed(Eager, run_eagerly=True),
    "metrics": lambda: sequential(
        kl.SimpleRNN(3), metrics=["mae"], weighted_metrics=["mse"], optimizer="adam"
    ),
    "two outputs": lambda: two_heads(loss={"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 0.5}),
}


@pytest.fixture
def model(request):
    keras.utils.set_random_seed(0)
    return {**ARCHITECTURES, **SETTINGS}[request.param]()


def batch(model):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(B, T, F)).astype("float32")
    kinds = {type(layer) for layer in model.layers}
    if kl.Embedding in kinds:
        x = generator.integers(1, 9, size=(B, T))
        x[:2, 4:] = 0
    y = generator.normal(size=(B, 1)).astype("float32")
    return x, [y] * 2 if len(getattr(model, "output_names", [])) == 2 else y


def contents(model):
    """Every number of the model: weights, seeds, states, metrics, optimizer."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, kl.RNN)]
    states = keras.tree.flatten([layer.states for layer in layers if layer.stateful])
    variables = [*model.variables, *states, *model.metrics_variables, *model.optimizer.variables]
    return [variable.numpy() for variable in variables]


def diagnosed(model):
    """Return what is found in `model`, which stays what it was."""
    x, y = batch(model)
    predicted, before = model(x), contents(model)
    flow = gradient_flow(model, x, y)
    keras.tree.map_structure(np.testing.assert_array_equal, contents(model), before)
    if not any(getattr(layer, "stateful", False) for layer in model.layers):
        keras.tree.map_structure(np.testing.assert_array_equal, model(x), predicted)
    return flow


@pytest.mark.parametrize("model", ARCHITECTURES, indirect=True)
def test_an_architecture_is_diagnosed_and_stays_what_it_was(model):
    flow = diagnosed(model)
    recurrent = [layer for layer in model._flatten_layers() if isinstance(layer, kl.RNN)]
    assert len(flow.layers) >= len(recurrent)
    for state in flow.states:
        assert (np.isfinite(state.window) | np.isneginf(state.window)).all()
        unread = np.isneginf(state.window).all()
        assert state.verdict in (("not_measured",) if unread else ("vanishing", "stable", "borderline"))


@pytest.mark.parametrize("model", SETTINGS, indirect=True)
def test_a_way_to_compile_is_diagnosed_and_fit_goes_on(model):
    x, y = batch(model)
    model.fit(x, y, batch_size=B, verbose=0)
    train_function = model.train_function
    flow = diagnosed(model)
    model.fit(x, y, batch_size=B, verbose=0)
    assert model.train_function is train_function
    assert all(np.isfinite(state.window).all() for state in flow.states)
    assert np.isfinite(flow.loss)
