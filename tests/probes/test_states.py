import dataclasses
import itertools

import numpy as np
import pytest

from rnnexp.probes.states import QUANTILES, measure_states
from rnnexp.runtime.checks import ArgumentError

T, B, H = 5, 6, 4


def random_states(shape=(T, B, H), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def quantile(values, part):
    """Linear between order statistics, by hand."""
    ordered = sorted(np.ravel(values))
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def test_quantiles_agree_with_sorting_by_hand():
    pre_activations = random_states()
    states = np.tanh(pre_activations)
    measured = measure_states(states, pre_activations)
    for step, (column, part) in itertools.product(range(T), enumerate(QUANTILES)):
        expected = quantile(pre_activations[step], part)
        assert measured.pre_activation_quantiles[step, column] == pytest.approx(expected, abs=1e-14)
        expected = quantile(states[step], part)
        assert measured.state_quantiles[step, column] == pytest.approx(expected, abs=1e-14)


def test_the_mean_square_is_that_of_the_pre_activations():
    pre_activations = random_states()
    total = np.zeros(T)
    for step, sample, unit in np.ndindex(T, B, H):
        total[step] += pre_activations[step, sample, unit] ** 2
    np.testing.assert_allclose(measure_states(pre_activations, pre_activations).mean_square, total / (B * H))


def test_dimensions_follow_from_the_covariance_eigenvalues():
    states = random_states() + 3.0
    measured = measure_states(states)
    for step in range(T):
        eigenvalues = np.clip(np.linalg.eigvalsh(np.cov(states[step].T)), 0, None)
        shares = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
        assert measured.effective_rank[step] == pytest.approx(
            np.exp(-np.sum(shares * np.log(shares))), rel=1e-12
        )
        ratio = np.sum(eigenvalues) ** 2 / np.sum(eigenvalues**2)
        assert measured.participation_ratio[step] == pytest.approx(ratio, rel=1e-12)
    assert np.all(measured.participation_ratio <= measured.effective_rank)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_equal_singular_values_count_as_their_number(rank):
    # Columns of +-1 that are orthogonal to each other and to the constant.
    columns = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))[:, :rank]
    basis = np.linalg.qr(random_states((7, 7)))[0][:, :rank]
    measured = measure_states((0.3 + columns @ basis.T)[np.newaxis])
    assert measured.effective_rank == pytest.approx(rank, abs=1e-12)
    assert measured.participation_ratio == pytest.approx(rank, abs=1e-12)


def test_two_known_singular_values():
    # Deviations (+-2, 0) and (0, +-1): sigma = sqrt(8), sqrt(2), that is shares 2/3 and 1/3.
    states = np.array([[[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]])
    measured = measure_states(states)
    assert measured.effective_rank == pytest.approx(3 / 2 ** (2 / 3), rel=1e-14)
    assert measured.participation_ratio == pytest.approx((8 + 2) ** 2 / (8**2 + 2**2), rel=1e-14)


@pytest.mark.parametrize("shape", [(4, 3, 10), (4, 30, 2)])
def test_no_dimension_exceeds_the_samples_less_one_or_the_units(shape):
    measured = measure_states(random_states(shape))
    assert np.all(measured.effective_rank <= min(shape[1] - 1, shape[2]) + 1e-12)
    assert measured.final_effective_rank == measured.effective_rank[-1]


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_dimensions_know_no_scale(scale):
    states = random_states()
    one, other = measure_states(states), measure_states(scale * states)
    np.testing.assert_allclose(other.effective_rank, one.effective_rank, rtol=1e-12)
    np.testing.assert_allclose(other.participation_ratio, one.participation_ratio, rtol=1e-12)


@pytest.mark.parametrize("state", [0.0, 0.1, 1e30])
def test_samples_in_one_state_have_no_dimension(state):
    measured = measure_states(np.full((2, 7, 3), state) * [1.0, 1 + 1e-16, 0.7])
    np.testing.assert_array_equal(measured.effective_rank, 0)
    np.testing.assert_array_equal(measured.participation_ratio, 0)


def test_samples_that_differ_by_rounding_are_in_one_state():
    states = np.full((1, 7, 3), 0.7)
    states[0, 2, 1] = np.nextafter(0.7, 1)
    assert measure_states(states).final_effective_rank == 0


def test_one_sample_has_no_dimension_but_has_quantiles():
    measured = measure_states(random_states((1, 1, 4)))
    assert np.isnan(measured.effective_rank).all() and np.isnan(measured.participation_ratio).all()
    assert np.isnan(measured.final_effective_rank)
    assert np.isfinite(measured.state_quantiles).all()


def test_shares_come_from_the_slopes():
    slopes = np.ones((2, 2, 2))
    slopes[0, :, 0], slopes[1, 1, 1] = 0.0, 0.001
    measured = measure_states(slopes, slopes, slopes)
    np.testing.assert_array_equal(measured.saturated, [0.5, 0.25])
    np.testing.assert_array_equal(measured.dead, [0.5, 0.0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_step_that_is_not_finite_is_nan_and_counted(value):
    states = random_states()
    states[2, 1, 0] = value
    measured = measure_states(states, states, states)
    assert measured.nonfinite_share == 1 / states.size
    for field in dataclasses.fields(measured):
        if field.name != "nonfinite_share":
            values = getattr(measured, field.name)
            np.testing.assert_array_equal(np.isnan(values).reshape(T, -1).all(axis=1), np.arange(T) == 2)
            assert np.isfinite(values[np.arange(T) != 2]).all()


def test_nothing_finite_is_nan_everywhere():
    lost = np.full((T, B, H), np.nan)
    measured = measure_states(lost, lost, lost)
    assert measured.nonfinite_share == 1
    assert np.isnan(measured.state_quantiles).all() and np.isnan(measured.effective_rank).all()


def test_what_is_not_given_is_nan():
    measured = measure_states(random_states())
    for name in ("pre_activation_quantiles", "mean_square", "saturated", "dead"):
        assert np.isnan(getattr(measured, name)).all()
    assert measured.pre_activation_quantiles.shape == measured.state_quantiles.shape == (T, len(QUANTILES))
    assert np.isfinite(measured.state_quantiles).all() and measured.nonfinite_share == 0


def test_a_square_that_overflows_is_infinite():
    huge = np.full((1, 2, 2), 1e200)
    assert measure_states(huge, huge).mean_square == np.inf


@pytest.mark.parametrize("shape", [(3, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"states: expected a non-empty array \(T, B, H\), received"):
        measure_states(np.zeros(shape))


@pytest.mark.parametrize("name", ["pre_activations", "slopes"])
def test_shapes_have_to_agree(name):
    message = rf"{name}: expected an array of the states' shape \(5, 6, 4\), received \(5, 6, 3\)"
    with pytest.raises(ArgumentError, match=message):
        measure_states(random_states(), **{name: np.zeros((T, B, 3))})
