import math

import numpy as np
import pytest
from scipy import integrate

from rnnexp.probes import ElmanJacobians, measure_gradient, measure_lyapunov
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import exponent_of_slopes, mean_field, rate_at_variance, rate_of_slopes

RELU = (lambda a: np.maximum(a, 0.0), lambda a: (a > 0) * 1.0)
TANH = (np.tanh, lambda a: np.cosh(a) ** -2.0)
LINEAR = (lambda a: a, np.ones_like)


def orthogonal(units, rng):
    return np.linalg.qr(rng.normal(size=(units, units)))[0]


def gaussian(units, rng):
    return rng.normal(size=(units, units)) / math.sqrt(units)


def network(pair, kernel, rng, steps=60, samples=8, offset=0.0):
    """Pre-activations (T, B, H) under white noise of variance 1/4, and ln of a gradient sent back (T, B)."""
    state, before = np.zeros((samples, len(kernel))), []
    for _ in range(steps):
        noise = rng.normal(offset, 0.5, size=state.shape)
        before.append(state @ kernel + noise)
        state = pair[0](before[-1])
    gradient, log_norms = np.tile(rng.normal(size=len(kernel)), (samples, 1)), []
    for at_step in reversed(before):
        log_norms.append(np.log(np.linalg.norm(gradient, axis=1)))
        gradient = (gradient * pair[1](at_step)) @ kernel.T
    return np.array(before), np.array(log_norms[::-1])


def square(kernel):
    return float(np.sum(kernel**2) / len(kernel))


@pytest.mark.parametrize(
    ("pair", "make", "gain"),
    [(TANH, gaussian, 0.8), (TANH, gaussian, 1.5), (TANH, orthogonal, 1.2), (RELU, gaussian, 1.2)],
)
def test_a_wide_random_network_has_the_rate_of_its_slopes(pair, make, gain):
    units, rng = 512, np.random.default_rng(0)
    kernel = gain * make(units, rng)
    before, log_norms = network(pair, kernel, rng)
    measured = measure_gradient(log_norms, bootstrap=200)
    half_width = (measured.rate_high - measured.rate_low) / 2
    # 1 / (2 H) is 0.001; what one kernel makes of its own, over kernels, is below 0.006 here.
    of_slopes = rate_of_slopes(square(kernel), pair[1](before))
    assert of_slopes == pytest.approx(measured.rate_rms, abs=half_width + 0.006)
    if pair is TANH:  # relu's states have a mean: its pre-activations are not of mean 0
        variances = np.mean(before**2, axis=(1, 2))
        at_variance = rate_at_variance(pair[1], square(kernel), variances)
        assert at_variance == pytest.approx(measured.rate_rms, abs=half_width + 0.006)


def test_an_offset_breaks_the_variance_rate_not_the_slope_rate():
    rng = np.random.default_rng(1)
    kernel = orthogonal(512, rng)
    before, log_norms = network(RELU, kernel, rng, offset=1.0)
    measured = measure_gradient(log_norms, bootstrap=1).rate_rms
    variances = np.mean(before**2, axis=(1, 2))
    assert rate_of_slopes(1.0, RELU[1](before)) == pytest.approx(measured, abs=0.01)
    assert rate_at_variance(RELU[1], 1.0, variances) == pytest.approx(math.log(0.5) / 2, abs=1e-12)
    assert abs(measured - math.log(0.5) / 2) > 0.1


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.5])
def test_a_linear_orthogonal_layer_is_exact(gain):
    rng = np.random.default_rng(2)
    kernel = gain * orthogonal(16, rng)
    before, log_norms = network(LINEAR, kernel, rng, steps=30)
    slopes = LINEAR[1](before)
    measured = measure_gradient(log_norms, bootstrap=1).rate_rms
    assert measured == pytest.approx(math.log(gain), abs=1e-12)
    assert rate_of_slopes(square(kernel), slopes) == pytest.approx(measured, abs=1e-12)
    assert rate_at_variance(LINEAR[1], square(kernel), np.ones(30)) == pytest.approx(measured, abs=1e-12)
    assert exponent_of_slopes(square(kernel), slopes) == pytest.approx(measured, abs=1e-12)


def test_one_tanh_unit_in_closed_form():
    """H = 1, one sample: the gradient is the product of w (1 - tanh(a_t)^2), and the fit a mean of its ln."""
    weight, rng = 1.3, np.random.default_rng(3)
    before, log_norms = network(TANH, np.array([[weight]]), rng, steps=25, samples=1)
    slopes = TANH[1](before)
    assert rate_of_slopes(weight**2, slopes) == pytest.approx(
        measure_gradient(log_norms, bootstrap=1).rate_rms, rel=1e-10
    )
    lyapunov = measure_lyapunov(ElmanJacobians(slopes, np.array([[weight]])), warm_up=0)
    assert exponent_of_slopes(weight**2, slopes) == pytest.approx(lyapunov.lambda_1, rel=1e-10)
    assert exponent_of_slopes(weight**2, slopes) == pytest.approx(
        np.mean(np.log(weight * (1 - np.tanh(before) ** 2))), rel=1e-10
    )


def test_at_a_constant_variance_it_is_the_mean_field_rate_there():
    field = mean_field(*TANH, 1.7, 0.2)
    at_variance = rate_at_variance(TANH[1], 1.7, np.full(30, field.q))
    assert at_variance == pytest.approx(field.rate, abs=1e-12)


def test_the_gaussian_mean_is_that_of_adaptive_quadrature():
    variances = np.array([9.0, 0.3, 2.0])

    def square_slope(variance):
        def integrand(z):
            return math.cosh(math.sqrt(variance) * z) ** -4 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        return integrate.quad(integrand, -16, 16, points=[0], epsabs=0, epsrel=1e-11)[0]

    # Three lags: the parabola weighs both gains alike. a_1 passes nothing on.
    expected = np.mean([0.5 * math.log(1.5 * square_slope(v)) for v in variances[1:]])
    assert rate_at_variance(TANH[1], 1.5, variances) == pytest.approx(expected, rel=1e-9)


def test_gaussian_pre_activations_lose_nothing_by_the_gaussian():
    rng = np.random.default_rng(4)
    deviations = np.linspace(0.2, 2, 50)[:, None, None]
    before = deviations * rng.normal(size=(50, 40, 500))
    of_slopes = rate_of_slopes(1.2, TANH[1](before))
    at_variance = rate_at_variance(TANH[1], 1.2, deviations.ravel() ** 2)
    assert of_slopes == pytest.approx(at_variance, abs=2e-3)


def test_samples_count_by_what_reaches_the_first_step():
    """Two samples of constant slopes: their root mean square follows the larger one."""
    slopes = np.stack([np.full((40, 5), 0.9), np.full((40, 5), 0.3)], axis=1)
    profile = [0.5 * math.log((0.9 ** (2 * k) + 0.3 ** (2 * k)) / 2) for k in range(40)]
    expected = np.polyfit(np.arange(40), profile, 1)[0]
    assert rate_of_slopes(1.0, slopes) == pytest.approx(expected, rel=1e-10)
    assert exponent_of_slopes(1.0, slopes) == pytest.approx(math.log(0.9 * 0.3) / 2, rel=1e-12)


@pytest.mark.parametrize("gain", [0.8, 1.5])
def test_a_wide_random_network_has_the_exponent_of_its_slopes(gain):
    rng = np.random.default_rng(5)
    kernel = gain * gaussian(512, rng)
    before, _ = network(TANH, kernel, rng, steps=60)
    slopes = TANH[1](before)
    measured = measure_lyapunov(ElmanJacobians(slopes, kernel), exponents=1)
    predicted = exponent_of_slopes(square(kernel), slopes[60 - measured.time_steps :])
    assert predicted == pytest.approx(measured.lambda_1, abs=1.96 * measured.standard_error[0] + 0.006)


def test_a_dead_step_cuts_the_lags_and_loses_the_sample():
    slopes = np.full((10, 2, 3), 0.5)
    slopes[4, 0] = 0
    assert exponent_of_slopes(1.0, slopes) == pytest.approx(math.log(0.5))
    assert math.isfinite(rate_of_slopes(1.0, slopes))
    slopes[4] = 0
    assert rate_of_slopes(1.0, slopes) == pytest.approx(math.log(0.5))
    assert exponent_of_slopes(1.0, slopes) == -math.inf


def test_what_is_not_a_number_has_no_rate():
    slopes = np.ones((5, 2, 3))
    slopes[2, 1, 1] = math.nan
    assert math.isnan(rate_of_slopes(1.0, slopes))
    assert math.isnan(exponent_of_slopes(1.0, slopes))
    assert math.isnan(rate_at_variance(TANH[1], 1.0, np.array([1.0, 1.0, math.nan])))
    assert math.isnan(rate_of_slopes(math.nan, np.ones((5, 2, 3))))
    assert math.isnan(rate_of_slopes(1.0, np.ones((1, 2, 3))))
    assert math.isnan(rate_at_variance(TANH[1], 1.0, np.ones(1)))


def test_a_variance_beyond_every_scale_leaves_the_asymptotes():
    assert rate_at_variance(RELU[1], 3.0, np.array([1.0, 1e300, math.inf])) == pytest.approx(
        0.5 * math.log(1.5), rel=1e-9
    )


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\), received"):
        rate_of_slopes(1.0, np.ones((3, 4)))
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\), received"):
        exponent_of_slopes(1.0, np.ones((0, 3, 4)))
    with pytest.raises(ArgumentError, match="weight_variance: expected a number of at least 0, received -1"):
        rate_of_slopes(-1.0, np.ones((3, 2, 4)))
    with pytest.raises(ArgumentError, match=r"variances: expected an array \(T,\), received \(3, 2\)"):
        rate_at_variance(TANH[1], 1.0, np.ones((3, 2)))
    with pytest.raises(ArgumentError, match=r"variances: expected numbers of at least 0, received -1\.0"):
        rate_at_variance(TANH[1], 1.0, np.array([1.0, -1.0]))
