import math

import numpy as np
import pytest

from rnnexp.probes import measure_gradient, measure_lyapunov
from rnnexp.probes.jacobian_products import measure_jacobian
from rnnexp.probes.jacobians import ElmanJacobians
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import decoupled_exponent, decoupled_rate, decoupled_rates


@pytest.mark.parametrize("gain", [-0.7, 1.0, 2.0])
def test_the_rates_are_those_of_the_jacobian_products(gain):
    slopes = np.random.default_rng(0).uniform(0.1, 1, size=(81, 3, 6))
    products = measure_jacobian(ElmanJacobians(slopes, gain * np.eye(6)), lags=[80])
    expected = -np.sort(-decoupled_rates(gain, slopes[1:]), axis=1)
    assert products.log_sigma[0] / 80 == pytest.approx(expected, abs=1e-12)


def test_a_unit_that_was_dead_once_passes_nothing_on():
    slopes = np.ones((10, 1, 2))
    slopes[4, 0, 1] = 0
    assert decoupled_rates(1.5, slopes)[0].tolist() == [pytest.approx(math.log(1.5)), -math.inf]


def test_a_layer_without_recurrence_passes_nothing_on():
    assert np.isneginf(decoupled_rates(0.0, np.ones((3, 1, 2)))).all()


@pytest.mark.parametrize("gain", [0.9, -1.1])
def test_the_rate_is_that_of_a_gradient_sent_back(gain):
    """From a gradient alike in all units, whose mean square is what the law says at every lag."""
    slopes = np.random.default_rng(1).uniform(0.5, 1, size=(40, 3, 6))
    gradient, log_norms = np.ones((3, 6)), []
    for at_step in reversed(slopes):
        log_norms.append(np.log(np.linalg.norm(gradient, axis=1)))
        gradient = gain * at_step * gradient
    measured = measure_gradient(np.array(log_norms[::-1]), bootstrap=1).rate_rms
    assert decoupled_rate(gain, slopes) == pytest.approx(measured, rel=1e-10)


def test_units_that_part_are_led_by_the_one_that_hands_on_most():
    slopes = np.broadcast_to([0.9, 0.5, 0.1], (200, 1, 3))
    assert decoupled_rate(1.0, slopes) == pytest.approx(math.log(0.9), abs=1e-3)
    assert decoupled_exponent(1.0, slopes, 100) == pytest.approx(math.log(0.9), abs=1e-12)


@pytest.mark.parametrize("warm_up", [0, 5])
def test_the_exponent_is_what_random_directions_grow_by(warm_up):
    slopes = np.random.default_rng(2).uniform(0.5, 1, size=(50, 1, 400))
    jacobians = ElmanJacobians(slopes, 1.05 * np.eye(400))
    measured = [
        measure_lyapunov(jacobians, exponents=1, warm_up=warm_up, seed=seed).lambda_1 for seed in range(12)
    ]
    # One direction is off by its few largest units: 0.005.
    assert decoupled_exponent(1.05, slopes, warm_up) == pytest.approx(np.mean(measured), abs=0.005)


def test_lost_samples_and_units_are_left_out():
    slopes = np.full((10, 2, 2), 0.5)
    slopes[3, 0], slopes[3, 1, 0] = 0, 0
    assert decoupled_exponent(1.0, slopes, 5) == pytest.approx(math.log(0.5))
    slopes[3] = 0
    assert decoupled_exponent(1.0, slopes, 0) == -math.inf
    assert decoupled_rate(1.0, slopes) == pytest.approx(math.log(0.5))
    slopes[7, 0, 0] = math.nan
    assert math.isnan(decoupled_rate(1.0, slopes)) and math.isnan(decoupled_exponent(1.0, slopes, 0))


def test_a_warm_up_leaves_a_step():
    with pytest.raises(ArgumentError, match="warm_up: expected an integer from 0 to 9, received 10"):
        decoupled_exponent(1.0, np.ones((10, 1, 2)), 10)


@pytest.mark.parametrize("shape", [(3, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\), received"):
        decoupled_rates(1.0, np.zeros(shape))
