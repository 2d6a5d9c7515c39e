import math

import numpy as np
import pytest
from closed_forms import RELU, SMOOTH, TANH
from scipy import integrate, special

from rnnexp.probes.gradient import measure_gradient
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import Elementwise, critical_gain, mean_field

LINEAR: tuple[Elementwise, Elementwise] = (lambda a: a, np.ones_like)
ERF: tuple[Elementwise, Elementwise] = (special.erf, lambda a: 2 / math.sqrt(math.pi) * np.exp(-(a**2)))


def expectation(function, variance):
    def integrand(z):
        return function(math.sqrt(variance) * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    return integrate.quad(integrand, -16, 16, points=[0], limit=200, epsabs=0, epsrel=1e-11)[0]


@pytest.mark.parametrize("gain", [0.5, 0.99, 1.0, 1.5])
def test_linear_rate_is_ln_gain(gain):
    field = mean_field(*LINEAR, gain**2, 0.1, time_steps=50)
    assert field.rate == pytest.approx(math.log(gain), abs=1e-13)
    # The geometric series of what every step put in.
    assert field.q == pytest.approx(0.1 * sum(gain ** (2 * t) for t in range(50)), rel=1e-12)


@pytest.mark.parametrize("gain", [0.5, math.sqrt(2), 2.0, 1e3])
def test_relu_rate_is_half_the_log_of_half_gain_squared(gain):
    field = mean_field(*RELU, gain**2, 0.1)
    assert field.rate == pytest.approx(0.5 * math.log(gain**2 / 2), abs=1e-12)
    assert math.isinf(field.q) == (gain > 1.5)


def test_relu_settles_at_its_fixed_point():
    assert mean_field(*RELU, 1.0, 0.1).q == pytest.approx(0.2, rel=1e-12)


def test_softplus_without_a_fixed_point_behaves_as_relu():
    field = mean_field(*SMOOTH["softplus"], 3.0, 0.1, time_steps=10_000)
    assert field.q == math.inf
    assert field.chi == pytest.approx(1.5, rel=1e-6)


@pytest.mark.parametrize("gain", [0.3, 0.9, 1.4])
def test_tanh_without_input_has_zero_q_and_chi_gain_squared(gain):
    field = mean_field(*TANH, gain**2, 0.0)
    assert field.q == 0
    assert field.chi == pytest.approx(gain**2, rel=1e-12)


def test_tanh_with_little_input_approaches_that_limit():
    field = mean_field(*TANH, 0.49, 1e-8)
    assert field.q == pytest.approx(1e-8 / (1 - 0.49), rel=1e-6)
    assert field.chi == pytest.approx(0.49, rel=1e-6)


@pytest.mark.parametrize("name", sorted(SMOOTH))
def test_fixed_point_solves_its_equation(name):
    phi, slope = SMOOTH[name]
    field = mean_field(phi, slope, 1.3, 0.2)
    assert field.q == pytest.approx(1.3 * expectation(lambda a: float(phi(a)) ** 2, field.q) + 0.2, rel=1e-9)
    assert field.chi == pytest.approx(1.3 * expectation(lambda a: float(slope(a)) ** 2, field.q), rel=1e-9)
    assert field.rate == pytest.approx(math.log(math.sqrt(field.chi)), abs=1e-14)


def test_steps_count_from_the_first_pre_activation():
    assert mean_field(*ERF, 2.0, 0.3, time_steps=1).q == 0.3
    second = 2.0 * 2 / math.pi * math.asin(0.6 / 1.6) + 0.3
    assert mean_field(*ERF, 2.0, 0.3, time_steps=2).q == pytest.approx(second, rel=1e-12)
    # sigmoid(0) is not 0, but the first state is: h_0 = 0.
    assert mean_field(*SMOOTH["sigmoid"], 2.0, 0.3, time_steps=1).q == 0.3


def test_a_dead_layer_and_a_lost_one():
    assert mean_field(*TANH, 0.0, 0.5) == (0.5, 0.0, -math.inf)
    assert np.isnan(mean_field(*TANH, math.nan, 0.5)).all()
    assert np.isnan(mean_field(*TANH, 1.0, math.nan)).all()
    assert mean_field(np.exp, np.exp, 1.0, 0.1) == (math.inf, math.inf, math.inf)


def test_mean_field_arguments_are_checked():
    with pytest.raises(ArgumentError, match="weight_variance: expected a number of at least 0, received -1"):
        mean_field(*TANH, -1.0, 0.0)
    with pytest.raises(ArgumentError, match="input_variance: expected a number of at least 0, received -1"):
        mean_field(*TANH, 1.0, -1.0)
    with pytest.raises(ArgumentError, match="time_steps: expected an integer of at least 1, received 0"):
        mean_field(*TANH, 1.0, 0.0, time_steps=0)


def random_network(pair, kernel, input_deviation, steps, samples, rng):
    """Log norms (T, B) of a random vector sent back through a layer that white noise drives, and E a_T^2."""
    phi, slope = pair
    units = len(kernel)
    state, slopes = np.zeros((samples, units)), []
    for _ in range(steps):
        pre_activation = state @ kernel + input_deviation * rng.normal(size=(samples, units))
        state = phi(pre_activation)
        slopes.append(slope(pre_activation))
    gradient, log_norms = rng.normal(size=(samples, units)), []
    for at_step in reversed(slopes):
        log_norms.append(np.log(np.linalg.norm(gradient, axis=1)))
        gradient = (gradient * at_step) @ kernel.T
    return np.array(log_norms[::-1]), float(np.mean(pre_activation**2))


def gaussian_kernel(gain, units, rng):
    return rng.normal(scale=gain / math.sqrt(units), size=(units, units))


def orthogonal_kernel(gain, units, rng):
    return gain * np.linalg.qr(rng.normal(size=(units, units)))[0]


@pytest.mark.parametrize(
    ("pair", "make", "gain", "units", "q_tolerance"),
    [
        pytest.param(TANH, gaussian_kernel, 0.8, 1000, 0.06, id="tanh-0.8"),
        pytest.param(TANH, gaussian_kernel, 1.5, 1000, 0.06, id="tanh-1.5"),
        pytest.param(TANH, orthogonal_kernel, 1.2, 300, 0.1, id="tanh-orthogonal-1.2"),
        pytest.param(RELU, gaussian_kernel, 1.2, 1000, 0.25, id="relu-1.2"),
    ],
)
def test_a_wide_random_network_agrees_with_mean_field(pair, make, gain, units, q_tolerance):
    phi, slope = pair
    rng = np.random.default_rng(0)
    kernel = make(gain, units, rng)
    log_norms, q = random_network(pair, kernel, 0.5, steps=40, samples=8, rng=rng)
    field = mean_field(phi, slope, units * kernel.var(), 0.25, time_steps=40)
    # Over kernels the rate deviates by 0.005 for tanh and by 0.015 for relu, q by 5 % and by 20 %: the states
    # of relu have a mean, which the one kernel maps to the same place at every step.
    assert measure_gradient(log_norms, bootstrap=1).rate_rms == pytest.approx(field.rate, abs=0.02)
    assert q == pytest.approx(field.q, rel=q_tolerance)


@pytest.mark.parametrize(("unit_variance", "input_variance"), [(1.0, 0.1), (1.0, 4.0), (0.3, 0.5)])
def test_the_critical_gain_solves_the_equation(unit_variance, input_variance):
    pair = np.tanh, lambda a: np.cosh(a) ** -2.0
    gain = critical_gain(*pair, unit_variance, input_variance, 50)
    assert mean_field(*pair, gain**2 * unit_variance, input_variance, 50).rate == pytest.approx(0, abs=1e-7)
    # A factor of exp(-rate) does not: at a smaller gain the slopes are larger.
    field = mean_field(*pair, 2.5**2, 0.5, 50)
    assert mean_field(*pair, (2.5 * math.exp(-field.rate)) ** 2, 0.5, 50).rate > 0.05


def test_the_critical_gain_in_closed_form():
    relu = (lambda a: np.maximum(a, 0.0)), (lambda a: (a > 0) * 1.0)
    assert critical_gain(*relu, 1.0, 0.2) == pytest.approx(math.sqrt(2), rel=1e-8)
    assert critical_gain(*relu, 4.0, 0.2) == pytest.approx(math.sqrt(2) / 2, rel=1e-8)
    assert critical_gain(lambda a: a, np.ones_like, 1.0, 0.2, 30) == pytest.approx(1, rel=1e-8)
    flat = (lambda a: np.zeros_like(a)), np.zeros_like
    assert math.isnan(critical_gain(*flat, 1.0, 0.2))
