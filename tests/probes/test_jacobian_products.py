import itertools
import math

import numpy as np
import pytest

from rnnexp.probes.jacobian_products import measure_jacobian
from rnnexp.probes.jacobians import ElmanJacobians, GivenJacobians
from rnnexp.runtime.checks import ArgumentError


def orthogonal(size, rng):
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def constant(matrix, steps, samples=1):
    return GivenJacobians(np.broadcast_to(matrix, (steps, samples, *np.shape(matrix))))


def tanh_network(kernel, steps, samples, rng, drive=0.5):
    state, slopes = np.zeros((samples, len(kernel))), []
    for _ in range(steps):
        pre_activation = state @ kernel + drive * rng.normal(size=state.shape)
        state = np.tanh(pre_activation)
        slopes.append(np.cosh(pre_activation) ** -2)
    return ElmanJacobians(np.array(slopes), kernel)


def product(jacobians, lag, sample=0):
    """J_T ... J_{T-lag+1}, naively."""
    steps, _, states = jacobians.shape
    result = np.eye(states)
    for index in range(steps - lag, steps):
        result = jacobians.step(index)[sample] @ result
    return result


def test_an_orthogonal_linear_network_keeps_all_lengths():
    kernel = orthogonal(32, np.random.default_rng(0))
    measured = measure_jacobian(ElmanJacobians(np.ones((5000, 2, 32)), kernel))
    assert measured.lags[-1] == 4999
    assert np.abs(measured.log_sigma).max() < 1e-10
    assert np.abs(measured.log_gain).max() < 1e-12
    assert measured.log10_sigma_max == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("gain", [1e-3, 0.9, 1.0, 1.3, 50.0])
def test_a_multiple_of_the_identity_grows_by_its_logarithm(gain):
    measured = measure_jacobian(constant(gain * np.eye(5), 5000))
    expected = measured.lags[:, np.newaxis, np.newaxis] * math.log(gain)
    assert measured.log_sigma == pytest.approx(np.broadcast_to(expected, measured.log_sigma.shape), abs=1e-8)
    assert measured.log10_sigma_max == pytest.approx(4999 * math.log10(gain), abs=1e-8)
    assert measured.log_gain == pytest.approx(math.log(gain), abs=1e-12)


def test_a_diagonal_network_has_its_diagonal():
    diagonal = np.array([0.5, -1.1, 0.9, 1e-6, 2.0, 1.0])
    measured = measure_jacobian(constant(np.diag(diagonal), 5000))
    expected = np.sort(np.log(np.abs(diagonal)))[::-1] * measured.lags[:, np.newaxis]
    assert measured.log_sigma[:, 0] == pytest.approx(expected, rel=1e-12, abs=1e-12)
    middle = 4999 * (math.log10(0.9) + math.log10(1.0)) / 2
    assert measured.log10_sigma_median == pytest.approx(middle, abs=1e-8)


def test_a_non_normal_network_grows_before_it_decays():
    # J^k = a^k [[1, k b/a], [0, 1]]: sigma^2 = a^2k x, where x + 1/x = 2 + (k b/a)^2.
    a, b = 0.99, 1.0
    measured = measure_jacobian(constant(np.array([[a, b], [0.0, a]]), 3001), lags=range(1, 3001, 7))
    half = 1 + (measured.lags * b / a) ** 2 / 2
    stretch = 0.5 * np.log(half + np.sqrt(half**2 - 1))
    decay = measured.lags * math.log(a)
    assert measured.log_sigma[:, 0, 0] == pytest.approx(decay + stretch, abs=1e-10)
    assert measured.log_sigma[:, 0, 1] == pytest.approx(decay - stretch, abs=1e-10)
    highest = measured.log_sigma[:, 0, 0].argmax()
    assert measured.log_sigma[highest, 0, 0] > 3.5
    assert measured.lags[highest] == pytest.approx(-1 / math.log(a), abs=7)
    assert measured.log_sigma[-1, 0, 0] < -20


@pytest.mark.parametrize("entry", ["elman", "given"])
def test_short_products_agree_with_the_naive_decomposition(entry):
    rng = np.random.default_rng(1)
    jacobians = tanh_network(rng.normal(size=(12, 12)) / math.sqrt(12), 9, 3, rng)
    if entry == "given":
        jacobians = GivenJacobians(np.array([jacobians.step(index) for index in range(9)]))
    measured = measure_jacobian(jacobians, lags=range(9))
    assert measured.log_sigma.shape == (9, 3, 12)
    for lag, sample in itertools.product(range(9), range(3)):
        naive = np.linalg.svd(product(jacobians, lag, sample), compute_uv=False)
        error = np.abs(np.exp(measured.log_sigma[lag, sample]) - naive)
        # What the naive route is good for: an absolute 1e-16 of the largest.
        assert error.max() < 1e-13 * naive[0]


def test_a_singular_kernel_loses_its_null_space_in_one_step():
    rng = np.random.default_rng(3)
    kernel = rng.normal(size=(10, 4)) @ rng.normal(size=(4, 10))
    measured = measure_jacobian(tanh_network(kernel / 10, 300, 2, rng), lags=[1, 2, 299])
    assert np.isfinite(measured.log_sigma[:, :, :4]).all()
    assert np.isneginf(measured.log_sigma[:, :, 4:]).all()


def test_a_long_product_keeps_its_known_singular_values():
    # J_t = U_t S_t U_{t-1}^T with orthogonal U: the product is U_T S_T ... S_1 U_0^T.
    rng = np.random.default_rng(4)
    steps, states = 1000, 24
    logs = np.linspace(0.5, -6, states) + 0.1 * rng.normal(size=(steps, states))
    turns = [orthogonal(states, rng) for _ in range(steps + 1)]
    jacobians = [turns[t + 1] * np.exp(logs[t]) @ turns[t].T for t in range(steps)]
    measured = measure_jacobian(GivenJacobians(np.array(jacobians)[:, np.newaxis]))
    for lag, found in zip(measured.lags, measured.log_sigma[:, 0], strict=True):
        expected = np.sort(logs[steps - lag :].sum(axis=0))[::-1]
        assert found == pytest.approx(expected, abs=1e-9)
    assert measured.log_sigma[-1, 0, -1] < -2500 * math.log(10)


@pytest.mark.parametrize(("gain", "drive"), [(0.7, 0.3), (2.0, 1.0), (4.0, 3.0)])
def test_the_logarithms_add_up_to_the_determinants(gain, drive):
    rng = np.random.default_rng(5)
    kernel = gain * rng.normal(size=(16, 16)) / 4
    jacobians = tanh_network(kernel, 2000, 2, rng, drive)
    measured = measure_jacobian(jacobians, lags=[1, 70, 1999])
    assert np.isfinite(measured.log_sigma).all()
    determinants = np.array([np.linalg.slogdet(jacobians.step(index))[1] for index in range(2000)])
    for lag, found in zip(measured.lags, measured.log_sigma, strict=True):
        expected = determinants[2000 - lag :].sum(axis=0)
        assert found.sum(axis=1) == pytest.approx(expected, rel=1e-10, abs=1e-8)


def test_smallest_singular_value_follows_from_the_inverse():
    rng = np.random.default_rng(6)
    jacobians = tanh_network(rng.normal(size=(20, 20)) / math.sqrt(20), 400, 2, rng)
    measured = measure_jacobian(jacobians, lags=[399]).log_sigma[0]
    # P^-1 = J_2^-1 ... J_T^-1, whose norm a plain power of its own finds: one vector, scaled at every step.
    for sample in range(2):
        inverses = [np.linalg.inv(jacobians.step(index)[sample]) for index in range(1, 400)]
        vector = rng.normal(size=20)
        for _ in range(30):
            log_norm = 0.0
            for inverse in inverses[::-1]:
                vector = inverse @ vector
                log_norm, vector = (
                    log_norm + math.log(np.linalg.norm(vector)),
                    vector / np.linalg.norm(vector),
                )
            for inverse in inverses:
                vector = inverse.T @ vector
                log_norm, vector = (
                    log_norm + math.log(np.linalg.norm(vector)),
                    vector / np.linalg.norm(vector),
                )
        assert measured[sample, -1] == pytest.approx(-log_norm / 2, abs=1e-8)


def test_two_largest_match_the_norm_of_the_exterior_square():
    rng = np.random.default_rng(7)
    jacobians = tanh_network(rng.normal(size=(6, 6)), 30, 1, rng)
    pairs = list(itertools.combinations(range(6), 2))
    whole = np.eye(len(pairs))
    for index in range(1, 30):
        step = jacobians.step(index)[0]
        whole = np.array([[np.linalg.det(step[np.ix_(i, j)]) for j in pairs] for i in pairs]) @ whole
    measured = measure_jacobian(jacobians, lags=[29]).log_sigma[0, 0]
    assert measured[:2].sum() == pytest.approx(math.log(np.linalg.norm(whole, 2)), abs=1e-9)


def test_gradient_growth_lies_between_the_singular_values():
    rng = np.random.default_rng(8)
    jacobians = tanh_network(rng.normal(size=(10, 10)), 200, 1, rng)
    measured = measure_jacobian(jacobians, lags=range(1, 200))
    gradient, log_norm = rng.normal(size=(1, 10, 1)), 0.0
    gradient /= np.linalg.norm(gradient)
    chain = jacobians.backward()
    for lag, log_sigma in zip(measured.lags, measured.log_sigma[:, 0], strict=True):
        gradient = chain.apply(lag - 1, lag, gradient)
        log_norm += math.log(np.linalg.norm(gradient))
        gradient /= np.linalg.norm(gradient)
        assert log_sigma[-1] - 1e-9 <= log_norm <= log_sigma[0] + 1e-9


def test_lags_are_sorted_and_unique_and_lag_0_is_the_identity():
    jacobians = constant(2 * np.eye(3), 10, samples=2)
    measured = measure_jacobian(jacobians, lags=[9, 0, 4, 9])
    assert measured.lags.tolist() == [0, 4, 9]
    assert measured.log_sigma[0] == pytest.approx(0, abs=1e-15)
    assert measured.log_gain.shape == (10, 2)


@pytest.mark.parametrize(("steps", "lags"), [(1, [0]), (2, [1]), (4, [1, 2, 3])])
def test_few_steps_have_few_default_lags(steps, lags):
    assert measure_jacobian(constant(np.eye(2), steps)).lags.tolist() == lags


def test_default_lags_are_spread_over_the_decades():
    lags = measure_jacobian(constant(np.eye(2), 1001)).lags
    assert (lags[0], lags[-1]) == (1, 1000)
    assert 20 <= len(lags) <= 32
    assert np.all(np.diff(np.log(lags)) < math.log(2) + 1e-12)


def test_only_the_non_finite_sample_becomes_nan():
    slopes = np.full((50, 3, 4), 0.5)
    slopes[20, 1, 2] = np.inf
    measured = measure_jacobian(ElmanJacobians(slopes, np.eye(4)))
    assert np.isnan(measured.log_sigma[:, 1]).all()
    assert measured.log_sigma[-1, [0, 2]] == pytest.approx(49 * math.log(0.5))
    assert math.isnan(measured.log10_sigma_max)
    assert np.isnan(measured.sigma_max_interval).all()
    assert math.isnan(measured.log10_sigma_median)
    assert np.isnan(measured.log_gain[:, 1]).all()


def test_a_dead_network_has_no_singular_value():
    measured = measure_jacobian(ElmanJacobians(np.zeros((20, 2, 4)), np.eye(4)))
    assert np.isneginf(measured.log_sigma).all()
    assert measured.log10_sigma_max == -math.inf
    assert np.isnan(measured.sigma_max_interval).all()
    assert measured.log10_sigma_median == -math.inf
    assert np.isneginf(measured.log_gain).all()


def test_one_sample_does_not_change_another():
    rng = np.random.default_rng(9)
    slopes, kernel = rng.uniform(1e-3, 1, size=(120, 3, 12)), rng.normal(size=(12, 12))
    together = measure_jacobian(ElmanJacobians(slopes, kernel))
    for sample in range(3):
        alone = measure_jacobian(ElmanJacobians(slopes[:, sample : sample + 1], kernel))
        # Both factorise as often as their worst sample asks for, so they round differently.
        assert alone.log_sigma[:, 0] == pytest.approx(together.log_sigma[:, sample], abs=1e-8)


@pytest.mark.parametrize("lags", [[10], [-1], [2.5], [True]])
def test_lags_outside_the_sequence_are_refused(lags):
    with pytest.raises(ArgumentError, match="lags: expected an integer from 0 to 9, received"):
        measure_jacobian(constant(np.eye(2), 10), lags=lags)


def test_no_lag_is_refused():
    with pytest.raises(ArgumentError, match=r"lags: expected at least one lag, received \[\]"):
        measure_jacobian(constant(np.eye(2), 10), lags=[])
