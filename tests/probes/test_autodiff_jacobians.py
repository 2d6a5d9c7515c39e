import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.probes import ElmanJacobians, GivenJacobians, measure_jacobian, measure_lyapunov
from rnnexp.probes.autodiff_jacobians import CellDerivatives, CellJacobians
from rnnexp.runtime.checks import ArgumentError

T, B, F, H = 6, 3, 2, 4

CELLS: dict[str, Callable[..., Any]] = {
    "elman": ElmanCell,
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
    "gru, reset before": functools.partial(keras.layers.GRUCell, reset_after=False),
    "lstm of relu": functools.partial(keras.layers.LSTMCell, activation="relu"),
}
each_cell = pytest.mark.parametrize("name", CELLS)

X = np.random.default_rng(0).standard_normal((T, B, F))


@functools.cache
def made(name):
    """A float64 cell with random weights, and its derivatives."""
    cell = CELLS[name](H, dtype="float64")
    cell.build((B, F))
    generator = np.random.default_rng(1)
    cell.set_weights([0.7 * generator.standard_normal(weight.shape) for weight in cell.get_weights()])
    return cell, CellDerivatives(cell, F)


@functools.cache
def unrolled(name):
    """S_0 ... S_T, and dS_t/dS_{t-1} (T, B, N, N), by a loop over steps and TensorFlow's tape."""
    cell, _ = made(name)
    states = tf.concat(cell.get_initial_state(batch_size=B), axis=1)
    trajectory, jacobians = [states], []
    for step in tf.constant(X):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(states)
            count = states.shape[1] // H
            after = tf.concat(cell(step, tf.split(states, count, axis=1))[1], axis=1)
        jacobians.append(tape.batch_jacobian(after, states, experimental_use_pfor=False))
        states = after
        trajectory.append(states)
    return np.array(trajectory), np.array(jacobians)


def ours(name):
    _, derivatives = made(name)
    return CellJacobians(derivatives, X, derivatives.trajectory(X).numpy()[:-1])


@each_cell
def test_the_trajectory_is_that_of_a_loop_over_steps(name):
    np.testing.assert_allclose(made(name)[1].trajectory(X), unrolled(name)[0], rtol=1e-12, atol=1e-14)


@each_cell
def test_every_jacobian_is_that_of_the_tape(name):
    expected = unrolled(name)[1]
    jacobians = ours(name)
    assert jacobians.shape == expected.shape[:3]
    assert jacobians.finite.all()
    for t in [*range(T), 0, 3]:
        np.testing.assert_allclose(jacobians.step(t), expected[t], rtol=1e-10, atol=1e-13)


@each_cell
def test_chains_carry_vectors_forward_and_gradients_backward(name):
    expected = unrolled(name)[1]
    jacobians = ours(name)
    vectors = np.random.default_rng(2).standard_normal((B, jacobians.shape[2], 3))
    forward = backward = vectors
    for matrix in expected[1:5]:
        forward = matrix @ forward
    for matrix in expected[5:2:-1]:
        backward = matrix.swapaxes(1, 2) @ backward
    np.testing.assert_allclose(jacobians.forward().apply(1, 5, vectors), forward, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jacobians.backward().apply(0, 3, vectors), backward, rtol=1e-9, atol=1e-12)


@each_cell
@pytest.mark.parametrize("rows", [1, 40, 8192])
def test_what_is_computed_at_a_time_changes_nothing(name, rows, monkeypatch):
    monkeypatch.setattr("rnnexp.probes.autodiff_jacobians._ROWS", rows)
    given, jacobians = GivenJacobians(unrolled(name)[1]), ours(name)
    np.testing.assert_allclose(jacobians.log_gain(), given.log_gain(), rtol=1e-9)
    got, expected = (measure_jacobian(each, lags=[1, T - 1]) for each in (jacobians, given))
    np.testing.assert_allclose(got.log_sigma, expected.log_sigma, rtol=1e-7, atol=1e-7)
    exponents = [measure_lyapunov(each, exponents=2).exponents for each in (jacobians, given)]
    np.testing.assert_allclose(exponents[0], exponents[1], rtol=1e-9)


def test_those_of_an_elman_cell_are_its_closed_form():
    cell, derivatives = made("elman")
    before = derivatives.trajectory(X).numpy()[:-1]
    kernel, recurrent_kernel, bias = cell.get_weights()
    slopes = activations.numpy_pair("tanh")[1](X @ kernel + before @ recurrent_kernel + bias)
    closed, jacobians = ElmanJacobians(slopes, recurrent_kernel), CellJacobians(derivatives, X, before)
    for t in range(T):
        np.testing.assert_allclose(jacobians.step(t), closed.step(t), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(jacobians.log_gain(), closed.log_gain(), rtol=1e-10)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_sample_with_lost_jacobians_does_not_touch_the_others(value):
    """Of an LSTM of relu, c is the sum of the inputs, and dh/da_o = c sigma'(a_o): as large as c."""
    _, derivatives = made("lstm of relu")
    before = derivatives.trajectory(X).numpy()[:-1]
    before[3, 1, H:] = value
    jacobians = CellJacobians(derivatives, X, before)
    np.testing.assert_array_equal(jacobians.finite, [True, False, True])
    np.testing.assert_array_equal(np.isnan(jacobians.log_gain()), [[False, True, False]] * T)
    kept = ours("lstm of relu")
    for t in range(T):
        np.testing.assert_array_equal(jacobians.step(t)[1], 0)
        np.testing.assert_allclose(jacobians.step(t)[[0, 2]], kept.step(t)[[0, 2]], rtol=1e-12)
    vectors = np.ones((B, 2 * H, 1))
    assert not jacobians.forward().apply(0, T, vectors)[1].any()
    assert np.isnan(measure_jacobian(jacobians, lags=[2]).log_sigma[:, 1]).all()


@pytest.mark.parametrize(
    ("x", "before", "text"),
    [
        (X[0], np.zeros((T, B, 2 * H)), r"x: expected a non-empty array \(T, B, F\), received \(3, 2\)"),
        (X[:0], np.zeros((0, B, 2 * H)), r"x: expected a non-empty array \(T, B, F\), received \(0, 3, 2\)"),
        (X, np.zeros((T, B, H)), r"before: expected an array \(6, 3, 8\), received \(6, 3, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(x, before, text):
    with pytest.raises(ArgumentError, match=text):
        CellJacobians(made("lstm")[1], x, before)
