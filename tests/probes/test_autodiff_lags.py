import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.probes import measure_lags
from rnnexp.probes.autodiff_lags import CellLags
from rnnexp.runtime.checks import ArgumentError

T, B, F, H = 7, 3, 2, 4

CELLS = {
    "elman": functools.partial(ElmanCell, H),
    "linear": functools.partial(ElmanCell, H, activation="linear"),
    "lstm": functools.partial(keras.layers.LSTMCell, H),
    "gru": functools.partial(keras.layers.GRUCell, H),
    "gru_reset_before": functools.partial(keras.layers.GRUCell, H, reset_after=False),
}


def built(name, scale=1.0):
    cell = CELLS[name](dtype="float64")
    cell.build((B, F))
    normal = np.random.default_rng(0).standard_normal
    cell.set_weights([scale * normal(weight.shape) for weight in cell.get_weights()])
    return cell


def state_sizes(cell):
    return [cell.state_size] if isinstance(cell.state_size, int) else list(cell.state_size)


def trajectory(cell, steps=T):
    """Random inputs, and the states before every step, side by side."""
    x = np.random.default_rng(1).standard_normal((steps, B, F))
    states, before = [tf.zeros((B, size), tf.float64) for size in state_sizes(cell)], []
    for each in x:
        before.append(np.concatenate(states, axis=1))
        states = list(cell(tf.constant(each), states)[1])
    return x, np.array(before)


def last_adjoint(cell):
    return np.random.default_rng(2).standard_normal((B, sum(state_sizes(cell))))


def check_equal(lags, expected):
    np.testing.assert_allclose(lags.log_norm, expected.log_norm, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(lags.share, expected.share, rtol=1e-9, atol=1e-13)
    assert lags.log_total == pytest.approx(expected.log_total, abs=1e-11)


def gradients_step_by_step(cell, x, last):
    """dL/dU_t with a recurrent kernel of its own at every step: (T, *U.shape), by one gradient tape."""
    kernels = [tf.constant(cell.recurrent_kernel.numpy()) for _ in x]
    shared = cell.recurrent_kernel
    states = [tf.zeros((B, size), tf.float64) for size in state_sizes(cell)]
    try:
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            for each, kernel in zip(x, kernels, strict=True):
                object.__setattr__(cell, "recurrent_kernel", kernel)
                states = list(cell.call(tf.constant(each), states)[1])
            loss = tf.reduce_sum(tf.concat(states, axis=1) * last) / B
    finally:
        object.__setattr__(cell, "recurrent_kernel", shared)
    return np.array([gradient.numpy() for gradient in tape.gradient(loss, kernels)])


@pytest.mark.parametrize("name", CELLS)
def test_contributions_are_gradients_of_untied_step_kernels(name):
    cell = built(name)
    x, before = trajectory(cell)
    last = last_adjoint(cell)
    lags = CellLags(cell).measure(x, before, last)
    each = gradients_step_by_step(cell, x, last)[::-1]
    total = each.sum(axis=0)
    np.testing.assert_allclose(np.exp(lags.log_norm), np.linalg.norm(each, axis=(1, 2)), rtol=1e-11)
    inner = np.sum(each * total, axis=(1, 2))
    np.testing.assert_allclose(lags.share, inner / np.sum(total**2), rtol=1e-10, atol=1e-13)
    assert np.exp(lags.log_total) == pytest.approx(np.linalg.norm(total), rel=1e-12)
    assert lags.share.sum() == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("scale", [0.02, 1.0])
def test_elman_lags_match_the_closed_form_below_float64_range(scale):
    cell = built("elman", scale)
    x, before = trajectory(cell, steps=300)
    kernel, recurrent_kernel, bias = cell.get_weights()
    states = np.tanh(x @ kernel + bias + before @ recurrent_kernel)
    last = last_adjoint(cell)
    lags = CellLags(cell).measure(x, before, last)
    check_equal(lags, measure_lags(states, 1 - states**2, recurrent_kernel, last))
    if scale < 1:
        assert lags.log_norm[-2] < -750


def test_elman_lags_match_the_closed_form_above_float64_range():
    cell = built("linear", 30.0)
    x, before = np.random.default_rng(1).standard_normal((2, 300, B, H))
    last = last_adjoint(cell)
    lags = CellLags(cell).measure(x[..., :F], before, last)
    states = np.concatenate([before[1:], before[:1]])
    expected = measure_lags(states, np.ones_like(states), cell.recurrent_kernel.numpy(), last, before[0])
    check_equal(lags, expected)
    assert lags.log_norm[-1] > 750


def test_the_weights_of_the_moment_are_measured():
    cell = built("lstm")
    x, before = trajectory(cell)
    last = last_adjoint(cell)
    probe = CellLags(cell)
    first = probe.measure(x, before, last)
    cell.set_weights([0.5 * weight for weight in cell.get_weights()])
    x, before = trajectory(cell)
    again, fresh = probe.measure(x, before, last), CellLags(cell).measure(x, before, last)
    np.testing.assert_array_equal(again.log_norm, fresh.log_norm)
    assert not np.allclose(again.log_norm, first.log_norm)


def test_a_loss_that_sees_nothing_has_no_contributions():
    cell = built("gru")
    x, before = trajectory(cell)
    lags = CellLags(cell).measure(x, before, np.zeros((B, H)))
    assert np.isneginf(lags.log_norm).all() and np.isneginf(lags.log_total)
    assert np.isnan(lags.share).all() and np.isnan(lags.median_lag)


def test_what_is_not_finite_is_nan_from_its_lag_on():
    cell = built("lstm")
    x, before = trajectory(cell)
    before[3, 1, 0] = np.nan
    lags = CellLags(cell).measure(x, before, last_adjoint(cell))
    assert np.isfinite(lags.log_norm[:3]).all() and np.isnan(lags.log_norm[3:]).all()
    assert np.isnan(lags.share).all() and np.isnan(lags.log_total)


def test_arguments_are_checked():
    with pytest.raises(
        ArgumentError, match="cell: expected a built cell with a recurrent_kernel, received 'LST"
    ):
        CellLags(keras.layers.LSTMCell(3))
    cell = built("lstm")
    x, before = trajectory(cell)
    probe = CellLags(cell)
    with pytest.raises(ArgumentError, match=r"x: expected a non-empty array \(T, B, F\), received"):
        probe.measure(x[0], before, last_adjoint(cell))
    with pytest.raises(ArgumentError, match=r"before: expected an array of shape \(7, 3, 8\), received"):
        probe.measure(x, before[..., :H], last_adjoint(cell))
    with pytest.raises(ArgumentError, match=r"last_adjoint: expected an array of shape \(3, 8\), received"):
        probe.measure(x, before, np.zeros((B, H)))
