import math

import numpy as np
import pytest

from rnnexp.checks import ArgumentError
from rnnexp.probes.jacobian import measure_jacobian
from rnnexp.probes.tangent import ElmanJacobians
from rnnexp.theory import decoupled_rates


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


@pytest.mark.parametrize("shape", [(3, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\), received"):
        decoupled_rates(1.0, np.zeros(shape))
