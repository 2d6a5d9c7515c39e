import dataclasses

import keras
import numpy as np
import pytest

from rnnexp.optim.optimizers import CATALOGUE, Adam, RmsProp, Sgd
from rnnexp.runtime.checks import ArgumentError

RATE = 2.0**-6
FRACTIONS = ("momentum", "rho", "beta_1", "beta_2")

family = pytest.mark.parametrize("optimizer", CATALOGUE.values(), ids=CATALOGUE)

# Keras rounds some hyper-parameters to float32 even in a float64 update: these are the same numbers there.
DYADIC = [
    Sgd(RATE),
    Sgd(RATE, momentum=0.75),
    Sgd(RATE, momentum=0.75, nesterov=True),
    Sgd(RATE, nesterov=True),
    RmsProp(RATE, rho=0.75, epsilon=2.0**-10),
    RmsProp(RATE, rho=0.0, epsilon=2.0**-10, momentum=0.5),
    Adam(RATE, beta_1=0.5, beta_2=0.75, epsilon=2.0**-10),
    Adam(RATE, beta_1=0.0, beta_2=0.0, epsilon=2.0**-10),
]


def textbook(rule, gradients):
    """The change of a weight by the successive `gradients`, in float64, as the papers write it."""
    weight = first = second = np.zeros_like(gradients[0])
    for k, g in enumerate(gradients, start=1):
        match rule:
            case Sgd(rate, momentum, nesterov):
                first = momentum * first - rate * g
                step = momentum * first - rate * g if nesterov else first
            case RmsProp(rate, rho, epsilon, momentum):
                second = rho * second + (1 - rho) * g**2
                first = momentum * first + rate * g / np.sqrt(second + epsilon)
                step = -first
            case Adam(rate, beta_1, beta_2, epsilon):
                first = beta_1 * first + (1 - beta_1) * g
                second = beta_2 * second + (1 - beta_2) * g**2
                # Algorithm 1 of the paper, its epsilon written by way of the "epsilon hat" that Keras adds.
                unbiased_first, unbiased_second = first / (1 - beta_1**k), second / (1 - beta_2**k)
                step = -rate * unbiased_first / (np.sqrt(unbiased_second) + epsilon / np.sqrt(1 - beta_2**k))
        weight = weight + step
    return weight


def updated_by_keras(rule, gradients, dtype):
    variable = keras.Variable(np.zeros_like(gradients[0]), dtype=dtype)
    optimizer = rule.build()
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype)], [variable])
    return keras.ops.convert_to_numpy(variable)


def some_gradients(updates):
    return np.random.default_rng(0).standard_normal((updates, 4, 3)) * [1e-3, 1.0, 1e3]


@pytest.mark.parametrize("rule", DYADIC, ids=repr)
def test_three_updates_equal_the_textbook_in_float64(rule):
    # In the third update every moment has a past. Some hundred roundings of 1.1e-16, and some cancellation.
    gradients = some_gradients(updates=3)
    np.testing.assert_allclose(
        updated_by_keras(rule, gradients, "float64"), textbook(rule, gradients), rtol=1e-12
    )


@pytest.mark.parametrize("rule", [*DYADIC, Sgd(), RmsProp(), Adam()], ids=repr)
def test_one_update_equals_the_textbook_in_float32(rule):
    # The difference 1 - 0.999 of two float32 numbers has a relative error of up to 3e-5: Adam's default.
    gradients = some_gradients(updates=1)
    tolerance = 3e-5 if rule == Adam() else 1e-6
    np.testing.assert_allclose(
        updated_by_keras(rule, gradients, "float32"), textbook(rule, gradients), rtol=tolerance
    )


@family
def test_build_hands_every_hyper_parameter_over(optimizer):
    # One distinct value a field, so that exchanged arguments show.
    fields = dataclasses.fields(optimizer)
    values = {field.name: True if field.type is bool else 2.0 ** -(1 + n) for n, field in enumerate(fields)}
    config = optimizer(**values).build().get_config()
    assert {name: config[name] for name in values} == values


@family
def test_defaults_are_those_of_keras(optimizer):
    built = optimizer().build()
    expected = type(built)().get_config()
    assert built.get_config() | {"name": None} == expected | {"name": None}


def test_each_name_builds_its_own_rule():
    built = {name: type(optimizer().build()) for name, optimizer in CATALOGUE.items()}
    assert built == {
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
    }


@family
def test_built_optimizers_share_no_state(optimizer):
    rule = optimizer(learning_rate=RATE)
    used, fresh = rule.build(), rule.build()
    used.apply([keras.ops.ones(2)], [keras.Variable(np.zeros(2))])
    assert int(used.iterations) == 1
    assert int(fresh.iterations) == 0


def test_nesterov_without_momentum_is_plain_descent():
    gradients = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(textbook(Sgd(nesterov=True), gradients), textbook(Sgd(), gradients))


def test_rmsprop_step_vanishes_with_the_gradient_adam_does_not():
    # Without memory, so that one update is the steady state: g / sqrt(g^2 + 1e-7) against g / (g + 1e-7).
    gradients = np.full((1, 1), 1e-6)
    rmsprop = updated_by_keras(RmsProp(RATE, rho=0.0), gradients, "float64") / RATE
    adam = updated_by_keras(Adam(RATE, beta_1=0.0, beta_2=0.0), gradients, "float64") / RATE
    assert -float(rmsprop[0]) == pytest.approx(1e-6 / np.sqrt(1e-12 + 1e-7), rel=1e-6)
    assert -float(adam[0]) == pytest.approx(1 / 1.1, rel=1e-6)


@family
def test_integers_and_numpy_numbers_are_numbers(optimizer):
    # YAML's `momentum: 0` is an integer, which keras.optimizers.SGD by itself refuses.
    values = {field.name: 0 for field in dataclasses.fields(optimizer) if field.name in FRACTIONS}
    optimizer(**values).build()
    config = optimizer(learning_rate=np.float32(0.5)).build().get_config()
    assert config["learning_rate"] == 0.5


def fields_called(*names):
    return [
        (optimizer, field.name)
        for optimizer in CATALOGUE.values()
        for field in dataclasses.fields(optimizer)
        if field.name in names
    ]


@pytest.mark.parametrize(("optimizer", "name"), fields_called(*FRACTIONS))
@pytest.mark.parametrize("value", [-0.1, 1.0, np.nan, "0.9", None, True])
def test_fractions_outside_their_domain(optimizer, name, value):
    with pytest.raises(ArgumentError, match=rf"{name}: expected a number in \[0, 1\), received"):
        optimizer(**{name: value})


@pytest.mark.parametrize(("optimizer", "name"), fields_called("learning_rate", "epsilon"))
@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "0.1", None, True])
def test_positive_numbers_outside_their_domain(optimizer, name, value):
    with pytest.raises(ArgumentError, match=f"{name}: expected a finite number above 0, received"):
        optimizer(**{name: value})


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_nesterov_is_true_or_false(value):
    with pytest.raises(ArgumentError, match="nesterov: expected true or false, received"):
        Sgd(nesterov=value)


@family
def test_every_rule_is_an_immutable_value(optimizer):
    assert optimizer() == optimizer()
    assert hash(optimizer()) == hash(optimizer())
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizer().learning_rate = 1.0
