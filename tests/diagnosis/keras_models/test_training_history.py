"""What records the updates of `fit` leaves the model as it was, whatever happens meanwhile."""

import keras
import numpy as np
import pytest

from rnnexp.diagnosis.keras_models.training_history import Recorder, TrainingHistory

X = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
RATE = 0.1


def compile_and_fit(model, rate=RATE):
    model.compile(keras.optimizers.SGD(rate), "mse")
    fit(model)


def fit(model):
    model.fit(X, Y, batch_size=2, verbose=0, shuffle=False)


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    compile_and_fit(made)
    return made


def recorder(model):
    return Recorder(model, TrainingHistory(*np.zeros((2, 0), np.float32)))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_recorders_of_one_model_stop_in_any_order(model, order):
    optimizer, tracker, trained = model.optimizer, model._loss_tracker, model.train_function
    before = set(vars(optimizer)), set(vars(tracker))
    recorders = [recorder(model) for _ in order]
    fit(model)
    for place in order:
        recorders[place].stop()
    assert (set(vars(optimizer)), set(vars(tracker))) == before
    assert model.train_function is trained
    one, *others = (each.history for each in recorders)
    assert len(one.loss) == 3
    for other in others:
        np.testing.assert_array_equal([one.loss, one.global_norm], [other.loss, other.global_norm])


@pytest.mark.parametrize("fitted", [False, True], ids=["not fitted since", "fitted since"])
def test_a_model_compiled_anew_meanwhile_trains_as_it_says(model, fitted):
    """As where a fit was broken off with its recorder, and the model was compiled with another rate."""
    broken_off = recorder(model)
    fit(model)
    model.compile(keras.optimizers.SGD(10 * RATE), "mse")
    if fitted:
        fit(model)
    broken_off.stop()
    again = recorder(model)
    fit(model)
    again.stop()
    weights, taken = model.get_weights(), int(model.optimizer.iterations)
    fit(model)
    assert int(model.optimizer.iterations) == taken + 3
    by_hand = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    by_hand.set_weights(weights)
    compile_and_fit(by_hand, 10 * RATE)
    for weight, expected in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
