import time

import numpy as np
import pytest

from rnnexp.probes.gradient import bootstrap_weights, measure_gradient
from rnnexp.runtime.checks import ArgumentError


def geometric(rate, steps, scales):
    lag = np.arange(steps - 1, -1, -1)
    return rate * lag[:, None] + np.log(np.asarray(scales))[None, :]


@pytest.fixture
def noisy():
    rng = np.random.default_rng(0)
    return geometric(-0.05, 40, np.ones(16)) + rng.normal(scale=0.5, size=(40, 16)) + rng.normal(size=16)


@pytest.mark.parametrize("rate", [-0.3, 0.0, np.log(1.1)])
def test_geometric_gradient_has_its_rate_and_an_interval_of_zero_width(rate):
    scales = np.array([0.5, 1.0, 3.0, 7.0])
    profile = measure_gradient(geometric(rate, 100, scales))
    assert [profile.rate, profile.rate_low, profile.rate_high] == pytest.approx([rate] * 3, abs=1e-12)
    ratio = 99 * rate / np.log(10)
    assert [profile.log10_ratio, profile.ratio_low, profile.ratio_high] == pytest.approx(
        [ratio] * 3, abs=1e-12
    )
    assert profile.intercept == pytest.approx(np.log(np.sqrt(np.mean(scales**2))), abs=1e-12)


def test_log_norm_is_the_root_mean_square_over_samples(noisy):
    profile = measure_gradient(noisy)
    assert profile.log_norm == pytest.approx(np.log(np.sqrt(np.mean(np.exp(noisy) ** 2, axis=1))), abs=1e-13)


def test_fit_agrees_with_polyfit(noisy):
    profile = measure_gradient(noisy)
    slope, intercept = np.polyfit(profile.lag, profile.log_norm, 1)
    assert profile.rate == pytest.approx(slope, abs=1e-13)
    assert profile.intercept == pytest.approx(intercept, abs=1e-12)
    assert profile.lag[0] == 39
    assert profile.lag[-1] == 0


def naive_replicate(log_norms, weights):
    steps, samples = log_norms.shape
    logs = np.empty(steps)
    for step in range(steps):
        logs[step] = 0.5 * np.log(sum(weights[b] * np.exp(2 * log_norms[step, b]) for b in range(samples)))
    usable = np.isfinite(logs)
    slope = np.polyfit(np.arange(steps - 1, -1, -1)[usable], logs[usable], 1)[0]
    return slope, (logs[0] - logs[-1]) / np.log(10)


def order_statistics(values):
    # Percentile p of n values: the smallest value that at least a share p of them does not exceed.
    ordered, count = np.sort(values), len(values)
    return ordered[int(np.ceil(0.025 * count)) - 1], ordered[int(np.ceil(0.975 * count)) - 1]


def test_intervals_agree_with_a_loop_over_resamples(noisy):
    profile = measure_gradient(noisy, bootstrap=200, seed=3)
    replicates = [naive_replicate(noisy, weights) for weights in bootstrap_weights(16, 200, 3)]
    rates, ratios = (np.array(column) for column in zip(*replicates, strict=True))
    assert (profile.rate_low, profile.rate_high) == pytest.approx(order_statistics(rates), abs=1e-12)
    assert (profile.ratio_low, profile.ratio_high) == pytest.approx(order_statistics(ratios), abs=1e-12)


def test_zeros_leave_a_step_out_of_the_resamples_that_see_nothing_else(noisy):
    noisy[5, :14] = -np.inf
    profile = measure_gradient(noisy, bootstrap=200, seed=1)
    with np.errstate(divide="ignore"):
        rates = [naive_replicate(noisy, weights)[0] for weights in bootstrap_weights(16, 200, 1)]
    assert (profile.rate_low, profile.rate_high) == pytest.approx(
        order_statistics(np.array(rates)), abs=1e-12
    )


def test_weights_are_counts_of_draws_with_replacement():
    weights = bootstrap_weights(8, 4000, 0)
    counts = weights * 8
    assert np.array_equal(counts, np.round(counts))
    assert weights.sum(axis=1) == pytest.approx(np.ones(4000), abs=1e-15)
    # Each count is binomial(8, 1/8): mean 1, variance 7/8.
    assert counts.mean(axis=0) == pytest.approx(np.ones(8), abs=0.06)
    assert counts.var(axis=0) == pytest.approx(np.full(8, 7 / 8), abs=0.12)


def test_same_seed_same_interval_other_seed_other_interval(noisy):
    first, again, other = (measure_gradient(noisy, seed=seed) for seed in (0, 0, 1))
    assert (first.ratio_low, first.rate_high) == (again.ratio_low, again.rate_high)
    assert first.ratio_low != other.ratio_low
    assert first.rate == other.rate


def test_interval_covers_the_population_value_about_95_times_in_100():
    rng = np.random.default_rng(0)
    steps, samples, spread, rate, trials = 30, 64, 0.4, -0.1, 150
    covered_rate = covered_ratio = 0
    for trial in range(trials):
        log_norms = geometric(rate, steps, np.ones(samples)) + spread * rng.normal(size=(steps, samples))
        profile = measure_gradient(log_norms, bootstrap=200, seed=trial)
        covered_rate += profile.rate_low <= rate <= profile.rate_high
        covered_ratio += profile.ratio_low <= rate * (steps - 1) / np.log(10) <= profile.ratio_high
    # Four standard errors of a binomial share are 0.07; the percentile bootstrap itself runs a little short.
    assert 0.87 <= covered_rate / trials <= 1
    assert 0.87 <= covered_ratio / trials <= 1


@pytest.mark.parametrize("shift", [-2000.0, 2000.0])
def test_extreme_magnitudes_change_nothing_but_the_level(noisy, shift):
    plain, shifted = measure_gradient(noisy), measure_gradient(noisy + shift)
    assert shifted.log_norm == pytest.approx(plain.log_norm + shift, abs=1e-11)
    for name in ("rate", "rate_low", "rate_high", "log10_ratio", "ratio_low", "ratio_high"):
        assert getattr(shifted, name) == pytest.approx(getattr(plain, name), abs=1e-11)
    assert shifted.zero_share == shifted.nonfinite_share == 0


def test_a_gradient_that_vanishes_past_float64_keeps_its_rate():
    profile = measure_gradient(geometric(-20.0, 101, [1.0, 2.0]))
    assert profile.rate == pytest.approx(-20, abs=1e-12)
    assert profile.log10_ratio == pytest.approx(-2000 / np.log(10), rel=1e-14)


def test_samples_e2000_apart_are_not_taken_for_zeros():
    log_norms = geometric(-0.1, 50, np.ones(8))
    log_norms[:, 1:] -= 2000
    profile = measure_gradient(log_norms)
    # Every resample has the same slope at every step, whether it drew the large sample or not.
    assert [profile.rate, profile.rate_low, profile.rate_high] == pytest.approx([-0.1] * 3, abs=1e-12)
    assert np.isfinite([profile.ratio_low, profile.ratio_high]).all()


def test_exact_zeros_are_left_out_of_the_fit_and_reported():
    log_norms = geometric(-0.2, 20, [1.0, 2.0])
    log_norms[:5] = -np.inf
    profile = measure_gradient(log_norms)
    assert profile.rate == pytest.approx(-0.2, abs=1e-12)
    assert profile.zero_share == 0.25
    assert np.isneginf(profile.log_norm[:5]).all()
    assert (profile.log10_ratio, profile.ratio_low, profile.ratio_high) == (-np.inf,) * 3


def test_a_sample_without_gradient_at_h_1_stretches_the_interval_to_minus_infinity():
    log_norms = geometric(-0.01, 20, np.ones(2))
    log_norms[:10, 0] = -np.inf
    profile = measure_gradient(log_norms)
    assert np.isfinite(profile.log10_ratio)
    assert profile.ratio_low == -np.inf
    assert profile.ratio_high == pytest.approx(-0.19 / np.log(10), abs=1e-12)


def test_all_zero_has_no_rate_and_a_ratio_of_minus_infinity():
    profile = measure_gradient(np.full((10, 4), -np.inf))
    assert np.isnan([profile.rate, profile.rate_low, profile.rate_high, profile.intercept]).all()
    assert (profile.log10_ratio, profile.ratio_low, profile.ratio_high) == (-np.inf,) * 3
    assert profile.zero_share == 1
    assert profile.nonfinite_share == 0


def test_one_step_has_no_rate_and_a_ratio_of_zero():
    profile = measure_gradient(np.zeros((1, 4)))
    assert np.isnan([profile.rate, profile.rate_low, profile.rate_high]).all()
    assert (profile.log10_ratio, profile.ratio_low, profile.ratio_high) == (0, 0, 0)


def test_one_sample_has_an_interval_of_zero_width(noisy):
    profile = measure_gradient(noisy[:, :1])
    assert profile.rate_low == profile.rate_high == pytest.approx(profile.rate, abs=1e-14)
    assert profile.ratio_low == profile.ratio_high == pytest.approx(profile.log10_ratio, abs=1e-13)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_non_finite_steps_are_left_out_of_the_fit_and_reported(value):
    log_norms = geometric(0.5, 20, [1.0, 2.0])
    log_norms[:4, 1] = value
    profile = measure_gradient(log_norms)
    assert profile.rate == pytest.approx(0.5, abs=1e-12)
    assert profile.nonfinite_share == pytest.approx(0.1)
    assert np.array_equal(profile.log_norm[:4], np.full(4, value), equal_nan=True)
    assert np.array_equal(profile.log10_ratio, value, equal_nan=True)
    assert np.array_equal([profile.ratio_low, profile.ratio_high], [value, value], equal_nan=True)


def test_all_nan_is_nan_throughout():
    profile = measure_gradient(np.full((5, 3), np.nan))
    assert np.isnan([profile.rate, profile.rate_low, profile.log10_ratio, profile.ratio_high]).all()
    assert profile.nonfinite_share == 1
    assert profile.zero_share == 0


def test_zero_at_h_1_over_a_non_finite_h_t_is_nan():
    log_norms = geometric(0.5, 5, [1.0])
    log_norms[0], log_norms[-1] = -np.inf, np.nan
    assert np.isnan(measure_gradient(log_norms).log10_ratio)


def test_the_callers_array_is_left_alone(noisy):
    before = noisy.copy()
    measure_gradient(noisy)
    assert np.array_equal(noisy, before)


def test_a_long_sequence_is_measured_quickly():
    log_norms = np.random.default_rng(0).normal(size=(400, 64))
    measure_gradient(log_norms)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        measure_gradient(log_norms)
        seconds.append(time.perf_counter() - start)
    # 0.03 s on an idle 2-core CPU; a loop over resamples takes seconds.
    assert min(seconds) < 1


@pytest.mark.parametrize("shape", [(5,), (0, 3), (3, 0), (2, 2, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"log_norms: expected a non-empty array \(T, B\), received"):
        measure_gradient(np.zeros(shape))


def test_bootstrap_and_seed_are_checked():
    with pytest.raises(ArgumentError, match="bootstrap: expected an integer of at least 1, received 0"):
        measure_gradient(np.zeros((2, 2)), bootstrap=0)
    with pytest.raises(ArgumentError, match="seed: expected an integer of at least 0, received -1"):
        measure_gradient(np.zeros((2, 2)), seed=-1)
