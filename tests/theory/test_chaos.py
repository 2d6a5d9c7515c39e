import math

import numpy as np
import pytest
from scipy import integrate, optimize

from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import chaotic_exponent, free_field, mean_field, subcritical_exponents

TANH = (np.tanh, lambda a: np.cosh(a) ** -2.0)
RELU = (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0)


def expectation(function, variance):
    def integrand(z):
        return function(math.sqrt(variance) * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    return 2 * integrate.quad(integrand, 0, 16, points=[0.1, 1], limit=400, epsabs=0, epsrel=1e-11)[0]


@pytest.mark.parametrize("gain", [1.05, 1.5, 3.0, 20.0])
def test_the_free_field_solves_its_equation(gain):
    # At a gain of 20 cosh(a) overflows in no place that is asked for.
    field = free_field(*TANH, gain**2)
    assert field.q == pytest.approx(gain**2 * expectation(lambda a: math.tanh(a) ** 2, field.q), rel=1e-8)
    chi = gain**2 * expectation(lambda a: math.cosh(a) ** -4, field.q)
    assert field.chi == pytest.approx(chi, rel=1e-8)
    assert field.rate == pytest.approx(0.5 * math.log(chi), abs=1e-8)


def test_it_is_where_a_faint_input_leads_after_many_steps():
    driven = mean_field(*TANH, 4.0, 1e-10, time_steps=2000)
    free = free_field(*TANH, 4.0)
    assert (driven.q, driven.chi) == (pytest.approx(free.q, rel=1e-9), pytest.approx(free.chi, rel=1e-9))


@pytest.mark.parametrize("gain", [0.2, 0.9, 1.0])
def test_a_contracting_network_dies_out(gain):
    field = free_field(*TANH, gain**2)
    assert field.q == 0
    assert chaotic_exponent(gain, *TANH) == pytest.approx(math.log(gain), abs=1e-15)


def test_close_to_the_onset_the_exponent_is_quadratic():
    # tanh^2 = a^2 - 2/3 a^4 + 17/45 a^6: q = e - 4/3 e^2 with g^2 = 1 + 2 e, and so on; lambda_1 -> 2/3 e^2.
    for distance in (1e-3, 1e-4):
        exponent = chaotic_exponent(math.sqrt(1 + 2 * distance), *TANH)
        assert exponent == pytest.approx(2 / 3 * distance**2, rel=20 * distance)


def test_deep_in_chaos_units_are_signs_and_slopes_are_rare():
    # q -> g^2, E phi'^2 -> density of a at 0 times the integral of sech^4, 4/3.
    gain = 300.0
    expected = 0.5 * math.log(gain * 4 / 3 / math.sqrt(2 * math.pi))
    assert chaotic_exponent(gain, *TANH) == pytest.approx(expected, abs=5e-3)


def test_relu_has_no_scale_of_its_own():
    assert free_field(*RELU, 1.9) == pytest.approx((0, 0.95, 0.5 * math.log(0.95)))
    assert free_field(*RELU, 2.5) == pytest.approx((math.inf, 1.25, 0.5 * math.log(1.25)))


def test_a_state_that_phi_itself_keeps_alive():
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    field = free_field(sigmoid, lambda a: sigmoid(a) * sigmoid(-a), 1.0)
    mean = optimize.brentq(lambda q: (expectation(lambda a: sigmoid(a) ** 2, q)
        + expectation(lambda a: sigmoid(-a) ** 2, q)) / 2 - q, 0.01, 2)  # fmt: skip
    assert field.q == pytest.approx(mean, rel=1e-8)


def test_circular_law_exponent_matches_the_free_field():
    assert subcritical_exponents(0.7, 10_000)[0] == pytest.approx(chaotic_exponent(0.7, *TANH), abs=1e-4)


def test_the_circular_law_is_that_of_points_in_a_disk():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(400_000, 2))
    moduli = np.linalg.norm(points, axis=1)
    logs = np.log(0.5 * moduli[moduli < 1])
    law = subcritical_exponents(0.5, 20)
    assert np.quantile(logs, (np.arange(20, 0, -1) - 0.5) / 20) == pytest.approx(law, abs=0.02)
    # All of them together are the determinant: mean ln|z| over the disk is ln g - 1/2.
    assert subcritical_exponents(0.5, 100_000).mean() == pytest.approx(math.log(0.5) - 0.5, abs=1e-4)


@pytest.mark.parametrize("gain", [0.0, -1.0, math.nan, math.inf])
def test_gains_are_checked(gain):
    for predict in (lambda: chaotic_exponent(gain, *TANH), lambda: subcritical_exponents(gain, 4)):
        with pytest.raises(ArgumentError, match="gain: expected a finite number above 0, received"):
            predict()


def test_other_arguments_are_checked():
    with pytest.raises(ArgumentError, match="units: expected an integer of at least 1, received 0"):
        subcritical_exponents(0.5, 0)
    with pytest.raises(ArgumentError, match="weight_variance: expected a finite number above 0, received 0"):
        free_field(*TANH, 0)
