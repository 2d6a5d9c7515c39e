"""One traced pass against closed forms; that it is traced once, by the cheapest way that works."""

import gc
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models.backward import BackwardPass
from rnnexp.diagnosis.keras_models.data import Batch
from rnnexp.runtime.checks import ArgumentError

B, T, F, H = 3, 6, 2, 4
DRAW = np.random.default_rng(0)
X = tf.constant(DRAW.normal(size=(B, T, F)), tf.float32)
Y = tf.zeros((B, 1))
GAIN = -0.5


def linear(**options):
    """h_t = GAIN h_{t-1} + W^T x_t, read by one unit."""
    identity = keras.initializers.Identity(GAIN)
    layer = kl.SimpleRNN(H, activation="linear", recurrent_initializer=identity, name="rnn", **options)
    return keras.Sequential([keras.Input((T, F)), layer, kl.Dense(1, name="head")])


def taken(model, loss="mse", x=X, y=Y):
    batch = Batch(x, y, None)
    return BackwardPass(model, loss, False, batch).run(batch)[:2]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_linear_recurrence_gives_its_closed_form(backwards):
    model = linear(go_backwards=backwards)
    loss, (reading,) = taken(model)
    output = model(X).numpy()[:, 0]
    assert loss == pytest.approx(np.mean(output**2), rel=1e-6)
    lag = np.arange(T) if backwards else np.arange(T)[::-1]
    readout = np.linalg.norm(model.get_layer("head").get_weights()[0])
    expected = np.log(2 * np.abs(output) * readout) + lag[:, None] * math.log(abs(GAIN))
    np.testing.assert_allclose(reading.log_norms, expected, atol=1e-5)
    assert (reading.layer, reading.state) == ("rnn", "h")
    assert (reading.go_backwards, reading.read_at_every_step) == (backwards, False)
    np.testing.assert_array_equal(reading.masked, np.zeros((T, B), bool))


def test_masked_steps_and_states_that_nobody_reads_are_told():
    model = keras.Sequential([keras.Input((T, F)), kl.Masking(), kl.LSTM(H), kl.Dense(1)])
    there = np.ones((B, T), bool)
    there[0, :2] = there[1, 3] = False
    _, (h, c) = taken(model, x=X * tf.cast(there[..., None], tf.float32))
    for reading in (h, c):
        np.testing.assert_array_equal(reading.masked, ~there.T)
        assert np.isnan(reading.log_norms[~there.T]).all()
    assert np.isfinite(h.log_norms[there.T]).all()
    assert np.isneginf(c.log_norms[-1]).all()  # h is handed on, the last c is not


NOTE: list[str] = []


class Reading(keras.Model):
    """Notes how it was called; `refuse` says where it cannot be."""

    def __init__(self, refuse=None):
        super().__init__()
        self.rnn, self.head = kl.SimpleRNN(H), kl.Dense(1)
        self.refuse = refuse

    def call(self, inputs):
        how = "eager" if tf.executing_eagerly() else "graph"
        NOTE.append(how)
        if how == self.refuse:
            raise TypeError("not here")
        return self.head(self.rnn(inputs))


def reading(refuse=None, **compiling):
    model = Reading()
    if compiling:
        model.compile("sgd", "mse", **compiling)
    model(X)
    NOTE.clear()
    model.refuse = refuse
    return model


@pytest.mark.parametrize(
    ("refuse", "compiling", "first", "later"),
    [
        (None, {}, ["graph"], []),
        ("graph", {}, ["graph", "graph", "eager"], ["eager"]),
        ("graph", {"jit_compile": True}, ["graph"] * 3 + ["eager"], ["eager"]),
        (None, {"run_eagerly": True}, ["eager"], ["eager"]),
    ],
)
def test_the_cheapest_way_that_works_is_kept_to(refuse, compiling, first, later):
    model = reading(refuse, **compiling)
    batch = Batch(X, Y, None)
    once = BackwardPass(model, "mse", False, batch)
    found = []
    for expected in (first, later, later):
        found.append(once.run(batch))
        # The plain pass beside the measured one is traced once too, or run each time.
        plain = [] if expected == [] else [expected[-1]]
        assert NOTE == [*expected, *plain]
        NOTE.clear()
    assert [each.loss for each in found] == [found[0].loss] * 3
    assert [each.warnings for each in found] == [()] * 3
    assert found[0][0] == pytest.approx(float(tf.reduce_mean(tf.square(model.head(model.rnn(X))))), rel=1e-6)
    assert not tf.config.functions_run_eagerly()


def test_an_error_in_every_mode_is_raised_as_in_eager_mode():
    model = reading("graph")
    batch = Batch(X, Y, None)
    once = BackwardPass(model, lambda y, prediction: y @ prediction, False, batch)
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            once.run(batch)
        assert not tf.config.functions_run_eagerly()
    assert NOTE == ["graph", "graph", "eager"] * 2


def test_an_argument_that_is_wrong_is_so_whatever_the_way():
    model = reading()
    with pytest.raises(ArgumentError, match="^loss: "):
        taken(model, loss=None)
    assert NOTE == ["graph"]


def test_a_pass_does_not_keep_its_model():
    model = linear()
    batch = Batch(X, Y, None)
    once = BackwardPass(model, "mse", False, batch)
    once.run(batch)
    del model
    gc.collect()
    with pytest.raises(ReferenceError, match="the model of this pass is gone"):
        once.run(batch)
