import time

import numpy as np
import pytest

from rnnexp.probes.gradient import measure_gradient
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.mean_intervals import bootstrap_weights, studentized_interval


def geometric(rate, steps, scales):
    lag = np.arange(steps - 1, -1, -1)
    return rate * lag[:, None] + np.log(np.asarray(scales))[None, :]


@pytest.fixture
def noisy():
    rng = np.random.default_rng(0)
    return geometric(-0.05, 40, np.ones(16)) + rng.normal(scale=0.5, size=(40, 16)) + rng.normal(size=16)


@pytest.mark.parametrize("rate", [-0.3, 0.0, np.log(1.1)])
def test_geometric_gradient_has_its_rate_with_zero_width(rate):
    scales = np.array([0.5, 1.0, 3.0, 7.0])
    profile = measure_gradient(geometric(rate, 100, scales))
    assert [profile.rate, profile.rate_low, profile.rate_high] == pytest.approx([rate] * 3, abs=1e-12)
    ratio = 99 * rate / np.log(10)
    assert [profile.log10_ratio, profile.ratio_low, profile.ratio_high] == pytest.approx(
        [ratio] * 3, abs=1e-12
    )
    assert profile.intercept == pytest.approx(np.log(scales).mean(), abs=1e-12)
    assert profile.rate_rms == pytest.approx(rate, abs=1e-12)


def test_log_norm_is_the_root_mean_square_over_samples(noisy):
    profile = measure_gradient(noisy)
    assert profile.log_norm == pytest.approx(np.log(np.sqrt(np.mean(np.exp(noisy) ** 2, axis=1))), abs=1e-13)
    assert profile.log_typical == pytest.approx(noisy.mean(axis=1), abs=1e-13)


def test_rate_is_the_mean_slope_and_rms_rate_that_of_the_rms(noisy):
    profile = measure_gradient(noisy)
    lines = np.array([np.polyfit(profile.lag, column, 1) for column in noisy.T])
    assert [profile.rate, profile.intercept] == pytest.approx(lines.mean(axis=0), abs=1e-12)
    assert profile.rate_rms == pytest.approx(np.polyfit(profile.lag, profile.log_norm, 1)[0], abs=1e-13)
    ratios = (noisy[0] - noisy[-1]) / np.log(10)
    assert profile.log10_ratio == pytest.approx(ratios.mean(), abs=1e-13)
    assert (profile.ratio_low, profile.ratio_high) == studentized_interval(ratios)
    assert profile.lag[0] == 39
    assert profile.lag[-1] == 0


def naive_rms_rate(log_norms, weights):
    steps, samples = log_norms.shape
    logs = np.empty(steps)
    for step in range(steps):
        logs[step] = 0.5 * np.log(sum(weights[b] * np.exp(2 * log_norms[step, b]) for b in range(samples)))
    return np.polyfit(np.arange(steps - 1, -1, -1), logs, 1)[0]


def test_rms_interval_agrees_with_a_loop_over_resamples():
    log_norms = geometric(-0.05, 20, np.ones(24)) + 0.2 * np.random.default_rng(0).normal(size=(20, 24))
    profile = measure_gradient(log_norms, bootstrap=200, seed=3)
    rates = [naive_rms_rate(log_norms, weights) for weights in bootstrap_weights(24, 200, 3)]
    expected = np.percentile(rates, [2.5, 97.5])
    assert (profile.rate_rms_low, profile.rate_rms_high) == pytest.approx(expected, abs=1e-12)


def test_effective_samples_count_those_ruling_the_mean_square():
    flat = geometric(-0.1, 10, np.ones(16))
    assert measure_gradient(flat).effective_samples == pytest.approx(16, rel=1e-12)
    flat[:4, 3] += 20
    profile = measure_gradient(flat)
    assert profile.effective_samples == pytest.approx(1, abs=1e-6)
    assert np.isnan([profile.rate_rms_low, profile.rate_rms_high]).all()
    assert np.isfinite([profile.rate_low, profile.rate_high]).all()
    squares = np.exp(2 * flat)
    least = np.min(squares.sum(axis=1) ** 2 / np.sum(squares**2, axis=1))
    assert profile.effective_samples == pytest.approx(least, rel=1e-12)


def test_rare_large_samples_rule_the_rms_rate_only():
    log_norms = geometric(-0.1, 50, np.ones(64))
    log_norms[:, 0] = geometric(0.2, 50, [1.0])[:, 0]
    profile = measure_gradient(log_norms)
    assert profile.rate == pytest.approx((63 * -0.1 + 0.2) / 64, abs=1e-12)
    assert profile.rate_rms > 0.15
    assert profile.log10_ratio < 0


def test_same_seed_same_interval_other_seed_other_interval(noisy):
    first, again, other = (measure_gradient(noisy, seed=seed) for seed in (0, 0, 1))
    assert (first.ratio_low, first.rate_high) == (again.ratio_low, again.rate_high)
    assert first.ratio_low != other.ratio_low
    assert first.rate == other.rate


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
    assert [profile.rate, profile.rate_low, profile.rate_high] == pytest.approx([-0.1] * 3, abs=1e-12)
    assert profile.rate_rms == pytest.approx(-0.1, abs=1e-12)
    assert np.isfinite([profile.ratio_low, profile.ratio_high]).all()


def test_exact_zeros_are_left_out_of_the_fit_and_reported():
    log_norms = geometric(-0.2, 20, [1.0, 2.0])
    log_norms[:5] = -np.inf
    profile = measure_gradient(log_norms)
    assert profile.rate == pytest.approx(-0.2, abs=1e-12)
    assert profile.zero_share == 0.25
    assert np.isneginf(profile.log_norm[:5]).all()
    assert np.isneginf(profile.log_typical[:5]).all()
    assert (profile.log10_ratio, profile.ratio_low, profile.ratio_high) == (-np.inf,) * 3


@pytest.mark.parametrize(
    ("zeros", "value", "low", "high"),
    [
        (0, "mean", "finite", "finite"),
        (6, "mean", "finite", "finite"),
        (28, "mean", "-inf", "finite"),
        (36, "-inf", "-inf", "finite"),
        (50, "-inf", "-inf", "-inf"),
        (64, "-inf", "-inf", "-inf"),
    ],
)
def test_samples_that_nothing_reaches_are_counted_apart(zeros, value, low, high):
    log_norms = geometric(-0.01, 20, np.ones(64))
    log_norms[:10, :zeros] = -np.inf
    profile = measure_gradient(log_norms)
    expected = {"mean": -0.19 / np.log(10), "finite": -0.19 / np.log(10), "-inf": -np.inf}
    found = [profile.log10_ratio, profile.ratio_low, profile.ratio_high]
    assert found == pytest.approx([expected[word] for word in (value, low, high)], abs=1e-12)


def test_a_state_that_nothing_reads_has_neither_rate_nor_ratio():
    profile = measure_gradient(np.full((10, 4), -np.inf))
    assert np.isnan([profile.rate, profile.rate_low, profile.rate_high, profile.intercept]).all()
    assert np.isnan([profile.log10_ratio, profile.ratio_low, profile.ratio_high]).all()
    assert np.isnan(profile.effective_samples)
    assert profile.zero_share == 1
    assert profile.nonfinite_share == 0


def test_a_sample_that_the_loss_does_not_read_is_left_out(noisy):
    few = noisy[:, 1:]
    noisy[:, 0] = -np.inf
    profile, expected = measure_gradient(noisy), measure_gradient(few)
    assert profile.rate == pytest.approx(expected.rate, abs=1e-14)
    assert profile.log10_ratio == pytest.approx(expected.log10_ratio, abs=1e-14)
    assert profile.zero_share == 1 / 16


def test_one_step_has_neither_rate_nor_ratio():
    profile = measure_gradient(np.zeros((1, 4)))
    assert np.isnan([profile.rate, profile.rate_low, profile.rate_high]).all()
    assert np.isnan([profile.log10_ratio, profile.ratio_low, profile.ratio_high]).all()


def test_one_sample_has_an_interval_without_ends(noisy):
    profile = measure_gradient(noisy[:, :1])
    assert (profile.rate_low, profile.rate_high) == (-np.inf, np.inf)
    assert (profile.ratio_low, profile.ratio_high) == (-np.inf, np.inf)
    assert profile.rate == pytest.approx(np.polyfit(profile.lag, noisy[:, 0], 1)[0], abs=1e-13)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_non_finite_steps_are_left_out_of_the_fit_and_reported(value):
    log_norms = geometric(0.5, 20, [1.0, 2.0])
    log_norms[:4, 1] = value
    profile = measure_gradient(log_norms)
    assert profile.rate == pytest.approx(0.5, abs=1e-12)
    assert profile.nonfinite_share == pytest.approx(0.1)
    assert np.array_equal(profile.log_norm[:4], np.full(4, value), equal_nan=True)
    assert np.isnan([profile.log10_ratio, profile.ratio_low, profile.ratio_high]).all()


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
