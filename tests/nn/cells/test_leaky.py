import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.leaky import Leaky
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding

F, H, B, T = 2, 6, 4, 12
TASK = Adding(T)
generator = np.random.default_rng(0)
WEIGHTS = [0.6 * generator.standard_normal(shape) for shape in ((F, H), (H, H), (H,), (H, 1), (1,))]
X, _ = TASK.batch(0, "probe", 0, B)


def built(spec):
    cell = spec.build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    network = build_network(TASK, cell, seed=3)
    network.set_weights(WEIGHTS)
    return network


@functools.cache
def measured(spec):
    batch = TASK.batch(0, "probe", 0, B)
    return Measurer(built(spec), spec, "tanh", TASK.loss, batch, 20).measure(WEIGHTS, 1)


def numpy_twin(rate):
    """h_1 ... h_T (T, B, H) and their Jacobians (T, B, H, H), from the equation."""
    kernel, recurrent, bias, *_ = WEIGHTS
    state, states, jacobians = np.zeros((B, H)), [], []
    for t in range(T):
        a = X[:, t] @ kernel + state @ recurrent + bias
        state = (1 - rate) * state + rate * np.tanh(a)
        states.append(state)
        slope = np.cosh(a) ** -2
        jacobians.append((1 - rate) * np.eye(H) + rate * slope[:, :, None] * recurrent.T)
    return np.array(states), np.array(jacobians)


def log10_sigma_max(jacobians):
    """The mean over samples of log10 of the largest singular value of J_T ... J_2."""
    products = [np.linalg.multi_dot(jacobians[:0:-1, sample]) for sample in range(B)]
    return np.mean(np.log10(np.linalg.svd(products, compute_uv=False)[:, 0]))


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_the_states_are_those_of_the_equation(rate):
    states, _ = numpy_twin(rate)
    answers = built(Leaky(rate=rate))(X.astype("float64")).numpy()
    np.testing.assert_allclose(answers, states[-1] @ WEIGHTS[3] + WEIGHTS[4], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_jacobian_is_that_of_central_differences(rate):
    cell = built(Leaky(rate=rate)).get_layer("recurrent").cell
    before, size = 0.5 * generator.standard_normal((1, H)), 1e-6
    x = tf.constant(X[:1, 3], tf.float64)
    columns = [
        (cell(x, [before + size * unit])[0] - cell(x, [before - size * unit])[0])[0] / (2 * size)
        for unit in np.eye(H)
    ]
    slope = np.cosh(X[:1, 3] @ WEIGHTS[0] + before @ WEIGHTS[1] + WEIGHTS[2]) ** -2
    expected = (1 - rate) * np.eye(H) + rate * slope.T * WEIGHTS[1].T
    np.testing.assert_allclose(np.stack(columns, axis=1), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_sigma_max_is_that_of_the_product_of_its_jacobians(rate):
    _, jacobians = numpy_twin(rate)
    found = measured(Leaky(rate=rate)).metrics()["jacobian/log10_sigma_max"]
    assert found == pytest.approx(log10_sigma_max(jacobians), abs=1e-9)
    as_elman = (jacobians - (1 - rate) * np.eye(H)) / rate
    assert (abs(log10_sigma_max(as_elman) - found) > 0.3) == (rate < 1)


def test_no_theory_of_elman_cells_speaks_of_it():
    found = measured(Leaky(rate=0.1))
    assert found.comparisons == ()
    assert math.isnan(found.predictions.rate) and math.isnan(found.predictions.rate_bound)


def test_at_rate_one_it_is_measured_as_an_elman_cell_is():
    leaky, elman = measured(Leaky(rate=1.0)).metrics(), measured(Elman()).metrics()
    for key, value in leaky.items():
        if math.isfinite(value):
            assert value == pytest.approx(elman[key], rel=1e-9, abs=1e-12), key
    assert {key for key in leaky if not math.isfinite(leaky[key])} == {
        "state/dead",
        "theory/rate",
        "theory/rate_bound",
    }


def test_at_rate_one_it_trains_as_an_elman_cell_does():
    trained = []
    for spec in (Leaky(rate=1.0), Elman()):
        network = built(spec)
        network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
        x, y = TASK.batch(0, "train", 0, 32)
        network.fit(x.astype("float64"), y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        trained.append(network.get_weights())
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)  # Keras' loss is of float32


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, True, "0.5", math.nan])
def test_a_rate_outside_its_domain_is_refused(rate):
    with pytest.raises(ArgumentError, match="^rate: expected a"):
        Leaky(rate=rate)
