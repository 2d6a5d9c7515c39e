"""The loss against NumPy, and its factor against the gradient of each sample's own loss."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models.data import Batch
from rnnexp.diagnosis.keras_models.objective import objective
from rnnexp.runtime.checks import ArgumentError

B, OUT = 4, 3
RTOL = 1e-6
DRAW = np.random.default_rng(0)
X = tf.constant(DRAW.normal(size=(B, OUT)), tf.float32)
Y = tf.constant(DRAW.normal(size=(B, OUT)), tf.float32)
PREDICTION = tf.constant(DRAW.normal(size=(B, OUT)), tf.float32)
SQUARES = np.mean((Y.numpy() - PREDICTION.numpy()) ** 2, axis=1)
"""l_b of the mean squared error."""
ABSOLUTE = np.mean(np.abs(Y.numpy() - PREDICTION.numpy()), axis=1)


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((OUT,)), kl.Dense(OUT)])


def found(model, loss=None, x=X, y=Y, prediction=PREDICTION, sample_weight=None):
    return objective(model, loss, Batch(x, y, sample_weight), prediction, training=False)


MeanSquaredError = keras.losses.MeanSquaredError
LOSSES: dict[str, tuple[Any, Any, int]] = {
    "name": ("mse", np.mean, B),
    "mean": (MeanSquaredError(), np.mean, B),
    "sum": (MeanSquaredError(reduction="sum"), np.sum, 1),
    "none": (MeanSquaredError(reduction=None), np.sum, 1),
    "callable, a value a sample": (lambda y, p: tf.reduce_mean(tf.square(y - p), axis=1), np.mean, B),
}


@pytest.mark.parametrize("compiled", [False, True], ids=["given", "compiled"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_and_its_factor_are_those_of_the_samples(model, name, compiled):
    loss, reduce, samples = LOSSES[name]
    if compiled:
        model.compile("sgd", loss)
    result = found(model, None if compiled else loss)
    assert result.loss.shape == ()
    assert float(result.loss) == pytest.approx(reduce(SQUARES), rel=RTOL)
    assert int(result.samples) == samples
    assert float(result.loss) * samples == pytest.approx(np.sum(SQUARES), rel=RTOL)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_gradient_times_samples_is_that_of_the_sample_loss(model, reduction):
    with tf.GradientTape() as tape:
        tape.watch(PREDICTION)
        loss, samples, _ = found(model, MeanSquaredError(reduction=reduction))
    gradient = tape.gradient(loss, PREDICTION) * tf.cast(samples, tf.float32)
    np.testing.assert_allclose(gradient, 2 * (PREDICTION - Y) / OUT, rtol=1e-5)


def test_a_given_loss_takes_the_place_of_the_compiled_one(model):
    model.compile("sgd", "mae")
    assert float(found(model).loss) == pytest.approx(np.mean(ABSOLUTE), rel=RTOL)
    assert float(found(model, "mse").loss) == pytest.approx(np.mean(SQUARES), rel=RTOL)


def test_loss_weights_and_added_losses_count_in_the_objective():
    inputs = keras.Input((OUT,))
    outputs = {name: kl.Dense(OUT, name=name, use_bias=False)(inputs) for name in "ab"}
    model = keras.Model(inputs, outputs)
    model.get_layer("a").kernel.regularizer = keras.regularizers.L2(0.5)
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 0.25})
    result = found(model, y={"a": Y, "b": Y}, prediction={"a": PREDICTION, "b": PREDICTION})
    added = 0.5 * np.sum(model.get_layer("a").get_weights()[0] ** 2)
    expected = 2 * np.mean(SQUARES) + 0.25 * np.mean(ABSOLUTE) + added
    assert float(result.loss) == pytest.approx(expected, rel=RTOL)
    assert int(result.samples) == B
    assert not model._compile_loss.built
    assert "_compile_loss" in vars(model)


def test_the_models_own_way_to_its_loss_is_taken():
    class Doubled(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2 * tf.reduce_mean(tf.square(y - y_pred)) + (100.0 if training else 0.0)

    model = Doubled([keras.Input((OUT,)), kl.Dense(OUT)])
    result = found(model)
    assert (float(result.loss), int(result.samples)) == (pytest.approx(2 * np.mean(SQUARES), rel=RTOL), B)


def test_the_batch_is_counted_on_the_first_input_that_is_there(model):
    assert int(found(model, "mse", x=[None, {"a": X}]).samples) == B


@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_without_any_loss_is_refused(model, compiled):
    if compiled:
        model.compile("sgd")
    sentence = "a Keras loss or a callable, since the model is compiled with none, received None$"
    with pytest.raises(ArgumentError, match=f"^loss: expected {sentence}"):
        found(model)


def test_sample_weights_are_part_of_the_loss_of_a_sample(model):
    weights = np.array([1.0, 2.0, 0.0, 0.5], "float32")
    loss, samples, _ = found(model, "mse", sample_weight=tf.constant(weights))
    assert float(loss) * int(samples) == pytest.approx(np.sum(weights * SQUARES), rel=RTOL)
