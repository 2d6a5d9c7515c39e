import math

import numpy as np
import pytest
from closed_forms import RELU, SMOOTH, TANH
from scipy import optimize, special

from rnnexp.nn import activations
from rnnexp.probes.jacobian_products import measure_jacobian
from rnnexp.probes.jacobians import ElmanJacobians, step_sigma_max
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import Elementwise, pascanu_conditions, rate_bound, slope_bound


def random_network(pair, gain, steps, samples, units, seed):
    """The Jacobians of a layer that white noise drives, and sigma_max of its kernel."""
    phi, slope = pair
    rng = np.random.default_rng(seed)
    kernel = rng.normal(scale=gain / math.sqrt(units), size=(units, units))
    state, slopes = np.zeros((samples, units)), []
    for _ in range(steps):
        pre_activation = state @ kernel + 0.5 * rng.normal(size=(samples, units))
        state = phi(pre_activation)
        slopes.append(slope(pre_activation))
    return ElmanJacobians(np.array(slopes), kernel), float(np.linalg.norm(kernel, 2))


@pytest.mark.parametrize(("pair", "gain"), [(TANH, 0.3), (TANH, 2.0), (RELU, 1.5), (SMOOTH["gelu"], 1.0)])
def test_no_network_grows_faster_than_the_bound(pair, gain):
    jacobians, sigma_max = random_network(pair, gain, 30, 8, 40, seed=1)
    bound = rate_bound(sigma_max, slope_bound(pair[1]))
    assert np.log(step_sigma_max(jacobians)).max() <= bound + 1e-12
    products = measure_jacobian(jacobians)
    assert np.all(products.log_sigma[:, :, 0] <= bound * products.lags[:, np.newaxis] + 1e-9)


BOUNDS: dict[str, tuple[Elementwise, float]] = {
    "tanh": (TANH[1], 1.0),
    "sigmoid": (SMOOTH["sigmoid"][1], 0.25),
    "relu": (RELU[1], 1.0),
    "softplus": (SMOOTH["softplus"][1], 1.0),
    # gelu bends at sqrt(2), where its slope is Phi(sqrt(2)) + sqrt(2) times the density there.
    "gelu": (SMOOTH["gelu"][1], special.ndtr(math.sqrt(2)) + math.exp(-1) / math.sqrt(math.pi)),
    # silu bends where a tanh(a/2) is 2; its slope there is (a + 2) / 4.
    "silu": (SMOOTH["silu"][1], (optimize.brentq(lambda a: a * math.tanh(a / 2) - 2, 2, 3) + 2) / 4),
    "jump at 0": (lambda a: np.where(a > 0, 1.05, 1.758 * np.exp(np.minimum(a, 0))), 1.758),
    "convention at 0": (lambda a: np.where(a == 0, 2.0, 1.0), 1.0),
    "squareplus": (lambda a: 0.5 * (1 + a / np.sqrt(a**2 + 4)), 1.0),
    "negative": (lambda a: -3 / (1 + (a - 0.1234) ** 2), 3.0),
    "zero": (np.zeros_like, 0.0),
    "exponential": (np.exp, math.inf),
    "square": (lambda a: 2 * a, math.inf),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_slope_bound_is_the_supremum(name):
    slope, expected = BOUNDS[name]
    assert slope_bound(slope) == pytest.approx(expected, rel=1e-6)


def test_slope_bound_of_nan_is_nan():
    assert math.isnan(slope_bound(lambda a: a * math.nan))


def test_rate_bound():
    assert rate_bound(1.5, 0.25) == pytest.approx(math.log(0.375), abs=1e-15)
    assert rate_bound(0.0, 1.0) == -math.inf
    assert math.isnan(rate_bound(math.nan, 1.0))
    assert rate_bound(1e-200, 1e-200) == pytest.approx(-400 * math.log(10), rel=1e-15)
    with pytest.raises(ArgumentError, match="sigma_max: expected a number of at least 0, received -1"):
        rate_bound(-1.0, 1.0)
    with pytest.raises(ArgumentError, match="slope_bound: expected a number of at least 0, received -1"):
        rate_bound(1.0, -1.0)


@pytest.mark.parametrize("name", activations.NAMES)
def test_every_activation_of_the_catalogue(name):
    phi, slope = activations.numpy_pair(name)
    if name in ("exponential", "hard_shrink"):  # unbounded, and one that jumps
        return
    # By the mean value theorem no difference quotient exceeds the bound; a fine one comes close to it.
    points = np.sinh(np.linspace(-9, 9, 200_000))
    steepest = np.abs(np.diff(phi(points)) / np.diff(points)).max()
    assert slope_bound(slope) * (1 - 1e-3) <= steepest <= slope_bound(slope) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("sigma_max", "gamma", "conditions"),
    [
        (0.99, 1.0, (True, False)),
        (1.01, 1.0, (False, True)),
        (3.99, 0.25, (True, False)),
        (4.01, 0.25, (False, True)),
        (4.0, 0.25, (False, False)),
        (0.0, 1.0, (True, False)),
        (1e-200, 1e-200, (True, False)),
        (1e200, 1e200, (False, True)),
        (1.0, math.inf, (False, True)),
        (math.nan, 1.0, (False, False)),
    ],
)
def test_pascanu_conditions(sigma_max, gamma, conditions):
    assert pascanu_conditions(sigma_max, gamma) == conditions


@pytest.mark.parametrize("pair", [TANH, SMOOTH["sigmoid"], RELU])
def test_where_vanishing_is_certain_every_gradient_vanishes(pair):
    gamma = slope_bound(pair[1])
    # sigma_max is about twice the gain of a Gaussian kernel.
    jacobians, sigma_max = random_network(pair, 0.45 / gamma, 400, 4, 40, seed=2)
    assert pascanu_conditions(sigma_max, gamma).vanishing_certain
    assert np.all(
        measure_jacobian(jacobians, lags=[399]).log_sigma[:, :, 0] < 399 * math.log(sigma_max * gamma)
    )


def test_explosion_needs_its_condition_which_does_not_suffice():
    exploding, sigma_max = random_network(TANH, 4.0, 300, 4, 40, seed=3)
    assert measure_jacobian(exploding, lags=[299]).log_sigma[:, :, 0].min() > 10
    assert pascanu_conditions(sigma_max, 1.0).explosion_possible
    vanishing, sigma_max = random_network(TANH, 0.9, 300, 4, 40, seed=4)
    assert measure_jacobian(vanishing, lags=[299]).log_sigma[:, :, 0].max() < -10
    assert pascanu_conditions(sigma_max, 1.0).explosion_possible


def test_pascanu_conditions_check_their_arguments():
    with pytest.raises(ArgumentError, match="sigma_max: expected a number of at least 0, received -1"):
        pascanu_conditions(-1.0, 1.0)
    with pytest.raises(ArgumentError, match="slope_bound: expected a number of at least 0, received -1"):
        pascanu_conditions(1.0, -1.0)
