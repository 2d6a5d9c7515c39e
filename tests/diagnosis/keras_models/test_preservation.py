"""What a forward pass moves is back where it was, also when the pass fails."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras.src.backend.common import global_state

from rnnexp.diagnosis.keras_models import gradient_flow
from rnnexp.diagnosis.keras_models.preservation import preserved, seed_generator

B, T, F = 4, 5, 3
X = np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")
Y = np.ones((B, 1), "float32")


class Counting(keras.layers.Layer):
    """A layer with a raw variable, a raw generator and an unseeded draw; it fails on demand."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0)
        self.chance = tf.random.Generator.from_seed(1)
        self.fail = False

    def call(self, inputs):
        self.calls.assign_add(1)
        noise = self.chance.normal(()) + keras.random.normal(())
        if self.fail:
            raise RuntimeError("as asked")
        return inputs + 1e-3 * noise


@pytest.fixture
def restless():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input(batch_shape=(B, T, F)),
        kl.GaussianNoise(0.1),
        kl.BatchNormalization(),
        kl.GRU(3, dropout=0.5, recurrent_dropout=0.5, stateful=True, name="gru"),
        kl.SpectralNormalization(kl.Dense(3)),
        Counting(),
        kl.Dense(1, activity_regularizer="l2"),
    ])  # fmt: skip
    model.compile("adam", "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    model(X, training=True)
    return model


def contents(model):
    counting = model.layers[4]
    return [
        *(variable.numpy() for variable in model.variables),
        *(state.numpy() for state in model.get_layer("gru").states),
        *(variable.numpy() for variable in model.metrics_variables),
        *(variable.numpy() for variable in model.optimizer.variables),
        counting.calls.numpy(),
        counting.chance.state.numpy(),
        seed_generator().state.numpy(),
    ]


def test_whatever_a_pass_moves_is_put_back_and_drawn_again(restless):
    before, chance = contents(restless), random.getstate()
    losses = [list(layer._losses) for layer in restless.layers]
    attributes = [set(vars(layer)) for layer in restless._flatten_layers()]
    found = {}
    for training in (False, True):
        first, second = (gradient_flow(restless, X, Y, training=training).states[0] for _ in range(2))
        np.testing.assert_array_equal(first.log_norms, second.log_norms)
        found[training] = first.log_norms
        keras.tree.map_structure(np.testing.assert_array_equal, contents(restless), before)
        assert random.getstate() == chance
        for layer, kept in zip(restless.layers, losses, strict=True):
            assert [id(loss) for loss in layer._losses] == [id(loss) for loss in kept]
        assert [set(vars(layer)) for layer in restless._flatten_layers()] == attributes
    assert not np.array_equal(found[False], found[True])


def test_the_model_moves_all_of_it_where_nobody_preserves(restless):
    before = contents(restless)
    restless(X, training=True)
    moved = [bool(np.any(now != then)) for now, then in zip(contents(restless), before, strict=True)]
    assert sum(moved) >= 10
    assert moved[-3:] == [True, True, True]


def test_an_exception_leaves_the_model_as_it_was(restless):
    before, counting = contents(restless), restless.layers[4]
    counting.fail = True
    with pytest.raises(RuntimeError, match="as asked"):
        gradient_flow(restless, X, Y, training=True)
    keras.tree.map_structure(np.testing.assert_array_equal, contents(restless), before)
    assert "inner_loop" not in vars(restless.get_layer("gru"))
    assert restless.get_layer("gru").cell._dropout_mask is None
    counting.fail = False
    assert len(gradient_flow(restless, X, Y).states) == 1


def test_an_absent_global_seed_generator_stays_absent():
    model = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(3), Counting(), kl.Dense(1)])
    before = seed_generator()
    try:
        global_state.set_global_attribute("global_seed_generator", None)
        keras.utils.set_random_seed(7)
        values = [gradient_flow(model, X, Y, loss="mse").loss for _ in range(3)]
        assert seed_generator() is None
        assert np.isfinite(values).all()
    finally:
        global_state.set_global_attribute("global_seed_generator", before)


def test_keras_numbers_new_layers_and_losses_as_without_a_look():
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(3), kl.Dense(1)])
    gradient_flow(model, X, Y, loss=["mse"])
    assert kl.SimpleRNN(3).name == "simple_rnn_1"
    assert keras.Sequential().name == "sequential_1"
    assert kl.Dense(1).name == "dense_1"


def test_a_compiled_loss_that_is_not_built_stays_so():
    inputs = keras.Input((T, F))
    hidden = kl.SimpleRNN(3)(inputs)
    model = keras.Model(inputs, [kl.Dense(1)(hidden), kl.Dense(1)(hidden)])
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse"]])
    names = model.metrics_names
    gradient_flow(model, X, [Y, Y])
    assert not model._compile_loss.built
    assert not model.optimizer.built
    assert model.metrics_names == names
    assert model.train_function is None
    model.run_eagerly = True  # without a trace
    model.fit(X, [Y, Y], verbose=0)


def test_preserving_copies_the_values_and_not_the_variables():
    model = keras.Sequential([keras.Input((F,)), kl.BatchNormalization()])
    mean = model.layers[0].moving_mean
    with preserved(model, training=False):
        mean.assign(mean + 1)
    np.testing.assert_array_equal(mean.numpy(), np.zeros(F))
