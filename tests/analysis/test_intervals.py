import math

import numpy as np
import pytest
from scipy import stats

from rnnexp.analysis import student_mean, wilson
from rnnexp.runtime.checks import ArgumentError


@pytest.mark.parametrize("trials", [1, 3, 10, 97])
def test_wilson_is_the_closed_formula(trials):
    z = stats.norm.ppf(0.975)
    for successes in range(trials + 1):
        share = successes / trials
        centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
        expected = (share, centre - half, centre + half, trials)
        assert wilson(successes, trials) == pytest.approx(expected, abs=1e-12)


def test_wilson_mirrors_successes_and_failures():
    found, mirrored = wilson(2, 7), wilson(5, 7)
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-12)


def test_no_trial_tells_nothing():
    assert np.isnan(wilson(0, 0)[:3]).all()


@pytest.mark.parametrize(
    ("successes", "trials", "name"), [(4, 3, "successes"), (-1, 3, "successes"), (0, -1, "trials")]
)
def test_wilson_refuses_counts_that_cannot_be(successes, trials, name):
    with pytest.raises(ArgumentError, match=f"^{name}: expected an integer"):
        wilson(successes, trials)


@pytest.mark.parametrize("size", [2, 5, 60])
def test_the_interval_of_a_mean_is_that_of_scipys_t_test(size):
    values = np.random.default_rng(size).normal(3.0, 2.0, size)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = student_mean(values)
    assert found == pytest.approx((values.mean(), expected.low, expected.high, size), rel=1e-12)


def test_five_seeds_are_covered_95_times_in_100():
    drawn = np.random.default_rng(0).normal(size=(4000, 5))
    covered = [found.low <= 0 <= found.high for found in map(student_mean, drawn)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.014)  # four standard errors


def test_only_finite_values_count():
    assert student_mean(np.array([1.0, math.inf, 3.0, math.nan])) == student_mean(np.array([1.0, 3.0]))


def test_constant_values_have_no_width():
    assert student_mean(np.full(4, 0.5)) == (0.5, 0.5, 0.5, 4)


def test_one_value_has_no_interval_and_none_no_mean():
    one, none = student_mean(np.array([2.0])), student_mean(np.array([math.nan]))
    assert (one.value, one.n, none.n) == (2.0, 1, 0)
    assert np.isnan([one.low, one.high, none.value, none.low, none.high]).all()
