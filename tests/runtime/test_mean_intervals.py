import math

import numpy as np
import pytest
from scipy import stats

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.mean_intervals import (
    bootstrap_weights,
    mean_interval,
    student_factor,
    studentized_interval,
)

INF, NAN = math.inf, math.nan


def test_mean_interval_is_that_of_scipys_t_test():
    values = np.random.default_rng(0).exponential(size=5)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    mean, half_width = mean_interval(values)
    assert (mean - half_width, mean + half_width) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize("samples", [3, 5, 100])
def test_mean_interval_covers_95_times_in_100(samples):
    values = np.random.default_rng(0).normal(size=(4000, samples))
    covered = [abs(mean) <= half for mean, half in map(mean_interval, values)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.014)  # four standard errors


def test_mean_interval_works_in_float64():
    mean, half_width = mean_interval(np.full(100_000, 0.1, np.float32))
    assert mean == pytest.approx(float(np.float32(0.1)), rel=1e-15)
    assert half_width == pytest.approx(0, abs=1e-17)


def test_mean_interval_at_its_edges():
    assert mean_interval(np.array([2.0])) == (2.0, INF)
    assert np.isnan(mean_interval(np.array([1.0, NAN]))).all()
    mean, half_width = mean_interval(np.array([1.0, INF]))
    assert mean == INF
    assert math.isnan(half_width)
    assert student_factor(1) == INF
    with pytest.raises(ArgumentError, match=r"values: expected at least one value, received \[\]"):
        mean_interval(np.array([]))


def test_studentized_interval_is_that_of_a_loop():
    values = np.random.default_rng(1).exponential(size=30)
    statistics = []
    for weights in bootstrap_weights(30, 300, 4):
        drawn = np.repeat(values, np.round(30 * weights).astype(int))
        statistics.append((drawn.mean() - values.mean()) / (drawn.std() / math.sqrt(30)))
    low, high = np.quantile(statistics, [0.025, 0.975])
    error = values.std() / math.sqrt(30)
    expected = values.mean() - high * error, values.mean() - low * error
    assert studentized_interval(values, 300, 4) == pytest.approx(expected, rel=1e-12)


def test_studentized_interval_covers_where_students_does_not():
    rng, covered = np.random.default_rng(0), np.zeros(2)
    values = rng.lognormal(sigma=1.0, size=(600, 40))
    truth = math.exp(1 / 2)
    for sample in values:
        low, high = studentized_interval(sample, 400)
        mean, half = mean_interval(sample)
        covered += low <= truth <= high, abs(mean - truth) <= half
    studentized, students = covered / 600
    assert studentized > students + 0.02
    assert studentized > 0.88


def test_studentized_interval_follows_scale_and_shift():
    values = np.random.default_rng(2).exponential(size=64)
    low, high = studentized_interval(values)
    assert studentized_interval(3 * values - 5) == pytest.approx((3 * low - 5, 3 * high - 5), rel=1e-10)
    assert studentized_interval(-values) == pytest.approx((-high, -low), rel=1e-10)


def test_studentized_interval_at_its_edges():
    assert studentized_interval(np.array([2.0])) == (-INF, INF)
    assert studentized_interval(np.full(50, 0.1)) == pytest.approx((0.1, 0.1), abs=1e-15)
    few = np.array([1.0, 2.0, 4.0])
    mean, half = mean_interval(few)
    assert studentized_interval(few) == (mean - half, mean + half)
    outlier = np.zeros(40)
    outlier[0] = 1.0
    low, high = studentized_interval(outlier)
    assert low < 1 / 40 < high < INF


def test_weights_are_counts_of_draws_with_replacement():
    weights = bootstrap_weights(8, 4000, 0)
    counts = weights * 8
    assert np.array_equal(counts, np.round(counts))
    assert weights.sum(axis=1) == pytest.approx(np.ones(4000), abs=1e-15)
    # Each count is binomial(8, 1/8): mean 1, variance 7/8.
    assert counts.mean(axis=0) == pytest.approx(np.ones(8), abs=0.06)
    assert counts.var(axis=0) == pytest.approx(np.full(8, 7 / 8), abs=0.12)


def test_resamples_and_seed_are_checked():
    with pytest.raises(ArgumentError, match="bootstrap: expected an integer of at least 1, received 0"):
        bootstrap_weights(4, 0, 0)
    with pytest.raises(ArgumentError, match="seed: expected an integer of at least 0, received -1"):
        bootstrap_weights(4, 1, -1)
