import math

import numpy as np
import pytest
from scipy import stats

from rnnexp.analysis import bootstrap_mean, wilson
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


@pytest.mark.parametrize("size", [60, 400])
def test_the_bootstrap_of_normal_values_is_the_t_interval(size):
    values = np.random.default_rng(size).normal(3.0, 2.0, size)
    half = stats.t.ppf(0.975, size - 1) * values.std(ddof=1) / math.sqrt(size)
    found = bootstrap_mean(values)
    assert found.value == pytest.approx(values.mean(), rel=1e-12)
    # Two ends, each a quantile of 2000 resamples: 10 % of the half-width is about three standard errors.
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )


def test_equal_values_have_an_equal_interval_and_no_global_seed_is_touched():
    values = np.array([1.0, 2.0, 4.0])
    np.random.seed(1)  # noqa: NPY002
    first, drawn = bootstrap_mean(values), np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert np.random.random() == drawn  # noqa: NPY002
    assert bootstrap_mean(values) == first
    assert values.min() <= first.low < first.value < first.high <= values.max()


def test_only_finite_values_count():
    assert bootstrap_mean(np.array([1.0, math.inf, 3.0, math.nan])) == bootstrap_mean(np.array([1.0, 3.0]))


def test_constant_values_have_no_width():
    assert bootstrap_mean(np.full(4, 0.5)) == (0.5, 0.5, 0.5, 4)


def test_one_value_has_no_interval_and_none_no_mean():
    one, none = bootstrap_mean(np.array([2.0])), bootstrap_mean(np.array([math.nan]))
    assert (one.value, one.n, none.n) == (2.0, 1, 0)
    assert np.isnan([one.low, one.high, none.value, none.low, none.high]).all()
