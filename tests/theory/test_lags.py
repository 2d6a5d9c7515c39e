import math

import numpy as np
import pytest

from rnnexp.probes import measure_gradient
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory.lags import fitted_rate, lag_profile


def gains(steps=40):
    return np.random.default_rng(0).normal(-0.1, 0.3, size=steps - 1)


def test_the_profile_is_the_norm_of_a_gradient_sent_back():
    log_gains = gains()
    norm, expected = 1.0, [0.0]
    for log_gain in reversed(log_gains):
        norm *= math.exp(log_gain)
        expected.append(math.log(norm))
    np.testing.assert_allclose(lag_profile(log_gains), expected, atol=1e-12)


def test_the_fit_is_that_of_the_measurement():
    profile = lag_profile(gains())
    assert fitted_rate(profile) == pytest.approx(measure_gradient(profile[::-1, None], 1).rate, rel=1e-12)
    profile[[0, 7, 20]] = -np.inf
    assert fitted_rate(profile) == pytest.approx(measure_gradient(profile[::-1, None], 1).rate, rel=1e-12)


def test_fitted_rate_is_a_parabola_weighted_mean_of_gains():
    log_gains = gains()
    steps = len(log_gains) + 1
    lag = np.arange(1, steps)
    weights = 6 * lag * (steps - lag) / (steps * (steps**2 - 1))
    assert weights.sum() == pytest.approx(1)
    assert fitted_rate(lag_profile(log_gains)) == pytest.approx(weights @ log_gains[::-1], rel=1e-12)


def test_what_a_zero_cuts_off_is_left_out():
    log_gains = np.array([-0.5, -np.inf, -0.25, -0.25])
    np.testing.assert_array_equal(lag_profile(log_gains), [0, -0.25, -0.5, -np.inf, -np.inf])
    assert fitted_rate(lag_profile(log_gains)) == pytest.approx(-0.25)


@pytest.mark.parametrize("profile", [[], [0.0], [0.0, -np.inf], [np.nan, 0.0]])
def test_one_lag_has_no_slope(profile):
    assert math.isnan(fitted_rate(np.array(profile)))


def test_a_profile_is_one_axis():
    with pytest.raises(ArgumentError, match=r"profile: expected an array \(T,\), received \(2, 3\)"):
        fitted_rate(np.zeros((2, 3)))
