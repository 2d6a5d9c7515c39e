import numpy as np
import pytest
import tensorflow as tf

from rnnexp.probes import lags as lags_module
from rnnexp.probes.lags import LagContributions, measure_lags
from rnnexp.runtime.checks import ArgumentError

T, B, H = 6, 3, 4


def tanh_network(steps=T, samples=B, units=H, gain=1.0, seed=0):
    """Projected inputs, kernel, states, slopes and dl/dh_T of a random network."""
    normal = np.random.default_rng(seed).standard_normal
    projected, kernel = normal((steps, samples, units)), gain * normal((units, units)) / np.sqrt(units)
    return projected, kernel, *run(projected, [kernel] * steps), normal((samples, units))


def run(projected, kernels):
    state, states = np.zeros(projected.shape[1:]), []
    for each, kernel in zip(projected, kernels, strict=True):
        state = np.tanh(each + state @ kernel)
        states.append(state)
    return np.array(states), 1 - np.array(states) ** 2


def by_loop(states, slopes, kernel, last):
    """G_t of every step, sample by sample and unit by unit."""
    steps, samples, units = states.shape
    each = np.zeros((steps, units, units))
    for sample in range(samples):
        adjoint = last[sample]
        for step in range(steps - 1, -1, -1):
            delta = slopes[step, sample] * adjoint
            before = states[step - 1, sample] if step else np.zeros(units)
            each[step] += np.outer(before, delta) / samples
            adjoint = kernel @ delta
    return each


def check(lags, each):
    """Compare with G_t in the order of time."""
    by_lag, total = each[::-1], each.sum(axis=0)
    norms = np.sqrt(np.sum(by_lag**2, axis=(1, 2)))
    np.testing.assert_allclose(np.exp(lags.log_norm), norms, rtol=1e-12)
    np.testing.assert_allclose(
        lags.share, np.sum(by_lag * total, axis=(1, 2)) / np.sum(total**2), atol=1e-13, rtol=1e-11
    )
    assert np.exp(lags.log_total) == pytest.approx(np.linalg.norm(total), rel=1e-12)


@pytest.mark.parametrize(("samples", "units"), [(3, 4), (1, 4), (5, 1), (9, 2)])
def test_contributions_agree_with_a_loop_over_samples(samples, units):
    _, kernel, states, slopes, last = tanh_network(samples=samples, units=units)
    check(measure_lags(states, slopes, kernel, last), by_loop(states, slopes, kernel, last))


def test_contributions_are_gradients_of_untied_step_kernels():
    projected, kernel, states, slopes, last = tanh_network()
    kernels = [tf.constant(kernel) for _ in range(T)]
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        state = tf.zeros((B, H), tf.float64)
        for each, own in zip(projected, kernels, strict=True):
            state = tf.tanh(each + state @ own)
        loss = tf.reduce_sum(state * last) / B
    check(measure_lags(states, slopes, kernel, last), np.array(tape.gradient(loss, kernels)))


def test_contributions_agree_with_central_differences():
    projected, kernel, states, slopes, last = tanh_network()
    step, each = 1e-6, np.zeros((T, H, H))
    for place in np.ndindex(each.shape):
        losses = []
        for sign in (1, -1):
            kernels = np.array([kernel] * T)
            kernels[place] += sign * step
            losses.append(np.sum(run(projected, kernels)[0][-1] * last) / B)
        each[place] = (losses[0] - losses[1]) / (2 * step)
    lags = measure_lags(states, slopes, kernel, last)
    np.testing.assert_allclose(
        np.exp(lags.log_norm), np.linalg.norm(each[::-1], axis=(1, 2)), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.3])
def test_a_scalar_linear_network_has_a_closed_form(gain):
    # h_t = h_0 = 1 is given at every step: G at lag k is gain^k, whatever the network makes of it.
    ones = np.ones((2000, 1, 1))
    lags = measure_lags(ones, ones, np.array([[gain]]), np.ones((1, 1)), np.ones((1, 1)))
    expected = np.arange(2000) * np.log(gain)
    np.testing.assert_allclose(lags.log_norm, expected, atol=1e-10)
    # All terms are positive, so the share is the part of the sum: gain^k / sum_j gain^j.
    log_sum = np.logaddexp.reduce(expected)
    assert lags.log_total == pytest.approx(log_sum, abs=1e-10)
    np.testing.assert_allclose(lags.share, np.exp(expected - log_sum), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(lags.cumulative, np.cumsum(lags.share), rtol=1e-9)
    if gain < 1:
        # 1 - gain^(K+1) >= part  <=>  K >= ln(1 - part) / ln gain - 1
        assert lags.median_lag == np.ceil(np.log(0.5) / np.log(gain) - 1 - 1e-12)
        assert lags.lag_90 == np.ceil(np.log(0.1) / np.log(gain) - 1 - 1e-12)
    elif gain > 1:
        assert lags.median_lag == 1999 - np.floor(np.log(2) / np.log(gain))
    else:
        assert (lags.median_lag, lags.lag_90) == (999, 1799)


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_five_thousand_steps_neither_over_nor_underflow(gain):
    rng = np.random.default_rng(0)
    kernel = gain * np.linalg.qr(rng.standard_normal((8, 8)))[0]
    states, ones = rng.standard_normal((5000, 4, 8)), np.ones((5000, 4, 8))
    one = measure_lags(states, ones, kernel, last := rng.standard_normal((4, 8)))
    # An orthogonal kernel with gain 1 has the same contributions, but for gain^k.
    other = measure_lags(states, ones, kernel / gain, last)
    expected = other.log_norm + np.arange(5000) * np.log(gain)
    np.testing.assert_allclose(one.log_norm[:-1], expected[:-1], atol=1e-8)
    assert np.isneginf(one.log_norm[-1])  # h_0 = 0
    assert abs(one.log_norm[-2]) > 11_000
    assert one.share.sum() == pytest.approx(1, abs=1e-12)
    assert one.median_lag == (0 if gain < 1 else 4998)


def test_shares_sum_to_one_and_opposing_lags_are_negative():
    # Two steps from h = 1: dL/dw = h_1 d_2 + h_0 d_1, with d_1 = w d_2 = -0.5.
    ones = np.ones((2, 1, 1))
    lags = measure_lags(ones, ones, np.array([[-0.5]]), np.ones((1, 1)), np.ones((1, 1)))
    np.testing.assert_allclose(lags.share, [2.0, -1.0], rtol=1e-14)
    np.testing.assert_allclose(lags.cumulative, [2 / 3, 1.0], rtol=1e-14)


def test_chunks_change_nothing(monkeypatch):
    _, kernel, states, slopes, last = tanh_network(steps=50)
    whole = measure_lags(states, slopes, kernel, last)
    monkeypatch.setattr(lags_module, "_CHUNK", 3 * H**2)
    np.testing.assert_array_equal(measure_lags(states, slopes, kernel, last).log_norm, whole.log_norm)


def test_a_far_smaller_sample_keeps_its_precision():
    slopes = np.ones((2000, 2, 2))
    slopes[:, 1] = [1e-6, 1.0]  # sample 1 falls by a million a step in its first unit
    last = np.array([[0.0, 0.0], [1.0, 0.0]])
    lags = measure_lags(np.ones_like(slopes), slopes, np.eye(2), last, np.ones((2, 2)))
    # (1/2) |h_{t-1}| 1e-6^(k+1), with |h| = sqrt 2
    expected = np.log(np.sqrt(2) / 2) + (1 + np.arange(2000)) * np.log(1e-6)
    np.testing.assert_allclose(lags.log_norm, expected, rtol=1e-12)


def test_a_single_step_without_initial_state_has_no_lags():
    lags = measure_lags(np.ones((1, 2, 3)), np.ones((1, 2, 3)), np.eye(3), np.ones((2, 3)))
    assert np.isneginf(lags.log_norm).all() and np.isneginf(lags.log_total)
    assert np.isnan([*lags.share, *lags.cumulative, lags.median_lag, lags.lag_90]).all()


def test_a_single_step_is_lag_zero():
    lags = measure_lags(np.ones((1, 2, 3)), np.ones((1, 2, 3)), np.eye(3), np.ones((2, 3)), np.ones((2, 3)))
    assert np.exp(lags.log_norm) == pytest.approx(3)
    assert (lags.share, lags.median_lag, lags.lag_90) == (pytest.approx(1), 0, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_nan_from_its_lag_on(value):
    _, kernel, states, slopes, last = tanh_network()
    slopes[3, 1, 0] = value
    lags = measure_lags(states, slopes, kernel, last)
    assert np.isfinite(lags.log_norm[:2]).all() and np.isnan(lags.log_norm[2:]).all()
    assert np.isnan([*lags.share, *lags.cumulative, lags.log_total, lags.median_lag, lags.lag_90]).all()


def test_lag_within_wants_a_share():
    lags = LagContributions(np.zeros(4), np.full(4, 0.25), 0.0)
    assert [lags.lag_within(part) for part in (0.0, 0.25, 0.5, 0.9)] == [0, 0, 1, 3]
    with pytest.raises(ArgumentError, match=r"part: expected a number in \[0, 1\), received 1"):
        lags.lag_within(1)


def test_shapes_are_checked():
    good = {
        "states": np.ones((T, B, H)),
        "slopes": np.ones((T, B, H)),
        "recurrent_kernel": np.eye(H),
        "last_adjoint": np.ones((B, H)),
        "initial_state": np.ones((B, H)),
    }
    for name in list(good)[1:]:
        with pytest.raises(
            ArgumentError, match=rf"{name}: expected an array of shape \(.*\), received \(2, 2\)"
        ):
            measure_lags(**good | {name: np.ones((2, 2))})
    with pytest.raises(ArgumentError, match=r"states: expected a non-empty array \(T, B, H\), received"):
        measure_lags(**good | {"states": np.ones((0, B, H))})
