"""Means over a Gaussian."""

import itertools
import math

import numpy as np
import pytest
from closed_forms import RELU, SMOOTH
from scipy import integrate, special

from rnnexp.nn import activations
from rnnexp.theory import Elementwise, gaussian_mean
from rnnexp.theory.gaussian import gaussian_means, ln

ELU: tuple[Elementwise, Elementwise] = (
    lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    lambda a: np.exp(np.minimum(a, 0)),
)
ERF: tuple[Elementwise, Elementwise] = (special.erf, lambda a: 2 / math.sqrt(math.pi) * np.exp(-(a**2)))


def by_quad(function, variance):
    def integrand(z):
        return function(math.sqrt(variance) * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    width = min(1.0, 1 / math.sqrt(variance))
    edges = [-16, -10 * width, -width, 0, width, 10 * width, 16]
    return sum(
        integrate.quad(integrand, low, high, limit=200, epsabs=0, epsrel=1e-10)[0]
        for low, high in itertools.pairwise(edges)
    )


@pytest.mark.parametrize("variance", [1e-4, 0.5, 30.0])
@pytest.mark.parametrize("name", [*SMOOTH, "elu", "relu"])
@pytest.mark.parametrize("part", [0, 1])
def test_gaussian_mean_agrees_with_adaptive_quadrature(name, part, variance):
    phi = {**SMOOTH, "elu": ELU, "relu": RELU}[name][part]
    assert gaussian_mean(lambda a: phi(a) ** 2, variance) == pytest.approx(
        by_quad(lambda a: float(phi(a)) ** 2, variance), rel=1e-9
    )


@pytest.mark.parametrize("count", [0, 1, 64, 150])
def test_many_variances_are_the_means_of_each(count):
    variances = np.geomspace(1e-6, 1e6, count)
    one_by_one = [gaussian_mean(SMOOTH["tanh"][1], variance) for variance in variances]
    np.testing.assert_allclose(gaussian_means(SMOOTH["tanh"][1], variances), one_by_one, rtol=1e-13)


@pytest.mark.parametrize("power", [0, 1, 2, 4, 6])
def test_gaussian_mean_has_the_moments_of_a_gaussian(power):
    expected = 0 if power % 2 else 3.0**power * special.factorial2(max(power - 1, 1))
    assert gaussian_mean(lambda a: a**power, 9.0) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("q", [0.0, 1e-12, 1e-4, 0.5, 3.0, 1e4, 1e8])
def test_erf_has_its_closed_forms_at_any_scale(q):
    # Williams 1997, https://papers.nips.cc/paper/1197-computing-with-infinite-networks
    state = gaussian_mean(lambda a: ERF[0](a) ** 2, q)
    slope = gaussian_mean(lambda a: ERF[1](a) ** 2, q)
    assert state == pytest.approx(2 / math.pi * math.asin(2 * q / (1 + 2 * q)), rel=1e-12)
    assert slope == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-12)


def test_a_jump_away_from_zero_costs_at_most_5e_3():
    for q in np.geomspace(0.1, 100, 301):
        live = gaussian_mean(lambda a: (np.abs(a) < 1) * 1.0, q)
        assert live == pytest.approx(special.erf(1 / math.sqrt(2 * q)), rel=5e-3)


@pytest.mark.parametrize("name", activations.NAMES)
def test_every_activation_of_the_catalogue(name):
    phi, slope = activations.numpy_pair(name)
    grid = np.linspace(-12, 12, 100_000)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    states = integrate.trapezoid(phi(1.3 * grid) ** 2 * density, grid)
    slopes = integrate.trapezoid(slope(1.3 * grid) ** 2 * density, grid)
    assert gaussian_mean(lambda a: phi(a) ** 2, 1.69) == pytest.approx(states, rel=5e-3)
    assert gaussian_mean(lambda a: slope(a) ** 2, 1.69) == pytest.approx(slopes, rel=5e-3)


def test_ln_takes_zero_and_nan():
    assert ln(math.e) == 1
    assert ln(0.0) == -math.inf
    assert ln(math.inf) == math.inf
    assert math.isnan(ln(math.nan))
