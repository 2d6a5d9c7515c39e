import math

import numpy as np
import pytest

from rnnexp.probes import measure_gradient
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import Elementwise, mean_field, rates_over_kernels

TANH: tuple[Elementwise, Elementwise] = (np.tanh, lambda a: np.cosh(a) ** -2.0)
RELU: tuple[Elementwise, Elementwise] = (lambda a: np.maximum(a, 0.0), lambda a: (a > 0) * 1.0)


def drawn(count, units, gain, seed=0):
    return gain * np.random.default_rng(seed).normal(size=(count, units, units)) / math.sqrt(units)


def test_each_kernel_has_the_rate_of_a_loop():
    rng = np.random.default_rng(1)
    kernels, inputs, last = drawn(3, 8, 1.2), rng.normal(size=(20, 5, 8)), rng.normal(size=(5, 8))
    for kernel, rate in zip(kernels, rates_over_kernels(*TANH, kernels, inputs, last), strict=True):
        log_norms = np.empty((20, 5))
        for sample in range(5):
            h, slopes = np.zeros(8), []
            for x in inputs[:, sample]:
                h = np.tanh(x + kernel.T @ h)
                slopes.append(1 - h**2)
            gradient = last[sample]
            for step in range(19, -1, -1):
                log_norms[step, sample] = math.log(np.linalg.norm(gradient))
                gradient = kernel @ (slopes[step] * gradient)
        assert rate == pytest.approx(measure_gradient(log_norms, bootstrap=1).rate_rms, abs=1e-10)


@pytest.mark.parametrize(("pair", "gain"), [(TANH, 1.5), (RELU, 1.4)])
def test_mean_field_is_the_mean_over_wide_kernels(pair, gain):
    units, rng = 128, np.random.default_rng(2)
    kernels, last = drawn(16, units, gain), np.tile(rng.normal(size=units), (8, 1))
    inputs = rng.normal(0, 0.5, size=(40, 8, units))
    phi, slope = pair
    rates = rates_over_kernels(phi, slope, kernels, inputs, last)
    predicted = mean_field(phi, slope, gain**2, 0.25, 40).rate
    # 1 / (2 H) is 0.004; the other 0.01 is four standard errors of the mean over 16 kernels.
    assert rates.mean() == pytest.approx(predicted, abs=0.015)
    assert 0.005 < rates.std() < 0.1


def test_a_kernel_that_hands_on_nothing_has_no_rate():
    kernels = np.stack([np.zeros((3, 3)), np.eye(3)])
    rates = rates_over_kernels(*TANH, kernels, np.zeros((5, 2, 3)), np.ones((2, 3)))
    assert math.isnan(rates[0])
    assert rates[1] == pytest.approx(0, abs=1e-12)


def test_shapes_are_checked():
    with pytest.raises(ArgumentError, match=r"kernels: expected an array \(K, 3, 3\)"):
        rates_over_kernels(*TANH, np.zeros((2, 4, 4)), np.zeros((5, 2, 3)), np.ones((2, 3)))
    with pytest.raises(ArgumentError, match="last_adjoint: expected an array of shape"):
        rates_over_kernels(*TANH, np.zeros((2, 3, 3)), np.zeros((5, 2, 3)), np.ones((1, 3)))
