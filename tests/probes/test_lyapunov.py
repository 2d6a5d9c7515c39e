import math

import numpy as np
import pytest
from scipy import special

from rnnexp.probes.jacobian_products import measure_jacobian
from rnnexp.probes.jacobians import ElmanJacobians, GivenJacobians, autonomous_jacobians
from rnnexp.probes.lyapunov import LyapunovSpectrum, kaplan_yorke_dimension, measure_lyapunov
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import chaotic_exponent, decoupled_rates, subcritical_exponents

TANH = (np.tanh, lambda a: np.cosh(a) ** -2.0)


def constant(matrix, steps, samples=1):
    return GivenJacobians(np.broadcast_to(matrix, (steps, samples, *np.shape(matrix))))


def random_kernel(gain, units, seed):
    return gain * np.random.default_rng(seed).normal(size=(units, units)) / math.sqrt(units)


def driven(kernel, steps, samples, seed, drive=0.5):
    rng = np.random.default_rng(seed)
    state, slopes = np.zeros((samples, len(kernel))), []
    for _ in range(steps):
        pre_activation = state @ kernel + drive * rng.normal(size=state.shape)
        state = np.tanh(pre_activation)
        slopes.append(np.cosh(pre_activation) ** -2)
    return ElmanJacobians(np.array(slopes), kernel)


def test_an_orthogonal_linear_network_has_exponents_0():
    kernel = np.linalg.qr(random_kernel(1, 32, 0))[0]
    spectrum = measure_lyapunov(ElmanJacobians(np.ones((5000, 2, 32)), kernel))
    assert spectrum.exponents == pytest.approx(np.zeros(32), abs=1e-14)
    assert spectrum.standard_error == pytest.approx(np.zeros(32), abs=1e-14)
    assert (spectrum.states, spectrum.time_steps, spectrum.dimension) == (32, 4500, 32.0)


@pytest.mark.parametrize("gain", [1e-3, 0.9, 1.3, 50.0])
def test_a_multiple_of_the_identity_has_its_logarithm(gain):
    spectrum = measure_lyapunov(constant(gain * np.eye(5), 5000))
    assert spectrum.exponents == pytest.approx(np.full(5, math.log(gain)), abs=1e-13)
    assert spectrum.lambda_1 == spectrum.exponents[0]


@pytest.mark.parametrize("diagonal", [[0.5, -1.1, 0.9, 1e-3, 2.0], [1.0, 1.0, 0.9, 0.9, 0.1]])
def test_a_diagonal_network_has_its_diagonal(diagonal):
    spectrum = measure_lyapunov(constant(np.diag(diagonal), 3000), warm_up=1000)
    expected = np.sort(np.log(np.abs(diagonal)))[::-1]
    assert spectrum.exponents == pytest.approx(expected, abs=1e-12)


def test_non_normal_exponents_are_logs_of_eigenvalues():
    # Transient growth: both eigenvalues are below 1, and J^k reaches 37 before it decays.
    spectrum = measure_lyapunov(constant(np.array([[0.99, 1.0], [0.0, 0.98]]), 20_000), warm_up=10_000)
    assert spectrum.exponents == pytest.approx(np.log([0.99, 0.98]), abs=1e-10)


@pytest.mark.parametrize("gain", [0.7, 2.0, 4.0])
def test_the_exponents_add_up_to_the_determinants(gain):
    jacobians = driven(random_kernel(gain, 16, 1), 2000, 2, 2, drive=gain)
    spectrum = measure_lyapunov(jacobians, warm_up=500)
    determinants = [np.linalg.slogdet(jacobians.step(index))[1].mean() for index in range(500, 2000)]
    assert spectrum.exponents.sum() == pytest.approx(np.mean(determinants), abs=1e-9)


def test_independent_gaussian_jacobians_have_newmans_exponents():
    # lambda_i = 1/2 (ln 2/H + psi((H - i + 1)/2)): Newman 1986, Communications in Mathematical Physics 103.
    states, steps, samples = 8, 1500, 16
    rng = np.random.default_rng(3)
    matrices = rng.normal(size=(steps, samples, states, states)) / math.sqrt(states)
    spectrum = measure_lyapunov(GivenJacobians(matrices))
    ranks = np.arange(1, states + 1)
    expected = 0.5 * (math.log(2 / states) + special.psi((states - ranks + 1) / 2))
    assert np.all(np.abs(spectrum.exponents - expected) < 3.5 * spectrum.standard_error)
    assert spectrum.standard_error.max() < 0.02


def test_the_standard_error_is_the_scatter_of_repetitions():
    rng = np.random.default_rng(4)
    found = [
        measure_lyapunov(GivenJacobians(rng.normal(size=(150, 4, 4, 4)) / 2), warm_up=20) for _ in range(60)
    ]
    scatter = np.std([spectrum.exponents for spectrum in found], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([spectrum.standard_error**2 for spectrum in found], axis=0))
    assert np.all(claimed > 0.8 * scatter)
    assert np.all(claimed < 1.7 * scatter)


def test_lambda_1_is_the_rate_at_which_two_trajectories_part():
    kernel = random_kernel(3.0, 48, 5)
    spectrum = measure_lyapunov(autonomous_jacobians(kernel, *TANH, time_steps=3000, samples=4), exponents=1)
    rng = np.random.default_rng(6)
    state = rng.normal(size=(4, 48))
    gap = 1e-8 * rng.normal(size=(4, 48))
    growth = []
    for step in range(3300):
        gap *= 1e-8 / np.linalg.norm(gap, axis=1, keepdims=True)
        state, moved = np.tanh(state @ kernel), np.tanh((state + gap) @ kernel)
        gap = moved - state
        if step >= 300:
            growth.append(np.log(np.linalg.norm(gap, axis=1) / 1e-8))
    error = np.mean(growth, axis=0).std(ddof=1) / 2
    combined = math.hypot(error, float(spectrum.standard_error[0]))
    assert spectrum.lambda_1 == pytest.approx(np.mean(growth), abs=4 * combined)
    assert combined < 0.01


def test_exponents_are_the_rates_of_the_jacobian_products():
    jacobians = driven(random_kernel(1.0, 24, 7), 3000, 4, 8)
    spectrum = measure_lyapunov(jacobians, exponents=3)
    slopes = measure_jacobian(jacobians, lags=[500, 2500]).log_sigma
    rates = np.mean((slopes[1] - slopes[0]) / 2000, axis=0)
    assert spectrum.exponents == pytest.approx(rates[:3], abs=0.01)


def test_the_first_exponents_do_not_need_the_others():
    jacobians = driven(random_kernel(1.2, 20, 9), 2000, 2, 10)
    every, first = measure_lyapunov(jacobians), measure_lyapunov(jacobians, exponents=4, seed=1)
    assert len(first.exponents) == 4
    assert first.states == 20
    assert first.exponents == pytest.approx(every.exponents[:4], abs=2e-3)


@pytest.mark.parametrize("gain", [2.0, 3.0, 4.0])
def test_chaotic_networks_obey_the_mean_field_law(gain):
    # Finite-size allowance: 5 / H nats. Over kernels lambda_1 - law is (-2 to -3.6) / H at H = 64 to 512.
    units = 256
    jacobians = autonomous_jacobians(random_kernel(gain, units, 11), *TANH, time_steps=1000, samples=4)
    spectrum = measure_lyapunov(jacobians, exponents=1)
    allowance = 3 * float(spectrum.standard_error[0]) + 5 / units
    assert spectrum.lambda_1 == pytest.approx(chaotic_exponent(gain, *TANH), abs=allowance)
    assert allowance < 0.03
    assert spectrum.lambda_1 > 3 * float(spectrum.standard_error[0])


def test_weak_chaos_obeys_the_law_in_the_mean_over_kernels():
    # At gain 1.5 a single kernel of H = 256 scatters by 0.016, some falling into quasi-periodic motion.
    found = [
        measure_lyapunov(
            autonomous_jacobians(random_kernel(1.5, 256, seed), *TANH, time_steps=600, samples=2), 1
        ).lambda_1
        for seed in range(6)
    ]
    assert np.mean(found) == pytest.approx(chaotic_exponent(1.5, *TANH), abs=0.03)


def test_the_deviation_from_the_law_falls_with_the_size():
    def deviation(units, kernels):
        found = [
            measure_lyapunov(autonomous_jacobians(random_kernel(3.0, units, seed), *TANH, 800, 4), 1).lambda_1
            for seed in range(kernels)
        ]
        return np.mean(found) - chaotic_exponent(3.0, *TANH)

    small, large = deviation(48, 10), deviation(192, 4)
    assert small < 2 * large < 0
    assert 192 * large == pytest.approx(48 * small, abs=2)


def test_networks_below_chaos_have_the_circular_law():
    units, kernels = 64, 24
    matrices = np.array([random_kernel(0.5, units, seed).T for seed in range(kernels)])
    spectrum = measure_lyapunov(
        GivenJacobians(np.broadcast_to(matrices, (300, *matrices.shape))), warm_up=100
    )
    law = subcritical_exponents(0.5, units)
    middle = slice(units // 4, 3 * units // 4)
    assert spectrum.exponents[middle] == pytest.approx(law[middle], rel=0.03)
    # The share of exponents below, not above: the other reading is off by half.
    above = math.log(0.5) + 0.5 * np.log((np.arange(units) + 0.5) / units)
    assert np.abs(spectrum.exponents / above - 1)[: units // 4].min() > 0.3


def test_below_chaos_exponents_are_logs_of_kernel_eigenvalues():
    kernel = random_kernel(0.5, 32, 12)
    spectrum = measure_lyapunov(
        autonomous_jacobians(kernel, *TANH, time_steps=3000, discard=200), warm_up=1000
    )
    eigenvalues = np.sort(np.log(np.abs(np.linalg.eigvals(kernel))))[::-1]
    assert spectrum.exponents == pytest.approx(eigenvalues, abs=2e-3)
    assert spectrum.dimension == 0


def test_units_that_are_alone_have_their_own_exponents():
    rng = np.random.default_rng(13)
    slopes = rng.uniform(0.2, 1, size=(4000, 2, 4)) * np.array([1.0, 0.8, 0.6, 0.3])
    spectrum = measure_lyapunov(ElmanJacobians(slopes, 1.5 * np.eye(4)), warm_up=400)
    expected = np.sort(decoupled_rates(1.5, slopes[400:]).mean(axis=0))[::-1]
    assert spectrum.exponents == pytest.approx(expected, abs=1e-10)


def test_dead_units_have_no_exponent():
    rng = np.random.default_rng(14)
    slopes = np.ones((300, 2, 6))
    slopes[:, :, 4:] = 0
    kernel = rng.normal(size=(6, 6))
    spectrum = measure_lyapunov(ElmanJacobians(slopes, kernel), warm_up=150)
    assert np.isneginf(spectrum.exponents[4:]).all()
    assert np.isnan(spectrum.standard_error[4:]).all()
    assert spectrum.lost_share.tolist() == [0, 0, 0, 0, 1, 1]
    live = np.sort(np.log(np.abs(np.linalg.eigvals(kernel[:4, :4]))))[::-1]
    assert spectrum.exponents[:4] == pytest.approx(live, abs=0.02)


def test_exponents_use_samples_that_keep_the_direction():
    slopes = np.full((200, 4, 3), 0.5)
    slopes[120, 1] = 0
    slopes[120, 2, 0] = 0
    slopes[:, 3] = 0.7
    spectrum = measure_lyapunov(ElmanJacobians(slopes, np.eye(3)))
    three, two = (2 * math.log(0.5) + math.log(0.7)) / 3, (math.log(0.5) + math.log(0.7)) / 2
    # Where one axis dies, the random vectors lose their share along it, once: some 0.1 nats in 180 steps.
    assert spectrum.exponents == pytest.approx([two, three, three], abs=2e-3)
    assert spectrum.lost_share == pytest.approx([0.5, 0.25, 0.25])
    spread = abs(math.log(0.5) - math.log(0.7))
    assert spectrum.standard_error[0] == pytest.approx(spread / 2, abs=2e-3)


def test_a_sample_that_is_not_finite_makes_all_nan():
    slopes = np.ones((50, 3, 4))
    slopes[20, 1, 2] = np.nan
    spectrum = measure_lyapunov(ElmanJacobians(slopes, np.eye(4)))
    assert np.isnan(spectrum.exponents).all()
    assert np.isnan(spectrum.standard_error).all()
    assert math.isnan(spectrum.dimension)
    assert math.isnan(spectrum.entropy_rate)


def test_one_step_of_one_sample_has_no_standard_error():
    spectrum = measure_lyapunov(constant(2 * np.eye(3), 1))
    assert spectrum.exponents == pytest.approx(np.full(3, math.log(2)))
    assert np.isnan(spectrum.standard_error).all()
    assert measure_lyapunov(constant(2 * np.eye(3), 1, samples=2)).standard_error[0] < 1e-15


def test_the_seed_decides():
    jacobians = driven(random_kernel(1.0, 8, 15), 100, 1, 16)
    first, again = measure_lyapunov(jacobians, seed=0), measure_lyapunov(jacobians, seed=0)
    assert np.array_equal(first.exponents, again.exponents)
    assert not np.array_equal(first.exponents, measure_lyapunov(jacobians, seed=1).exponents)


@pytest.mark.parametrize(
    ("exponents", "states", "dimension"),
    [
        ([0.5, 0.0, -1.0], 3, 2.5),
        ([0.906, 0.0, -14.57], 3, 2 + 0.906 / 14.57),  # Lorenz
        ([-0.1, -0.2], 2, 0.0),
        ([0.3, -0.1, -0.1], 3, 3.0),
        ([0.0, 0.0], 2, 2.0),
        ([0.0, -1e-15, 1e-16], 3, 3.0),
        ([1.0, -math.inf], 2, 1.0),
        ([-math.inf, -math.inf], 2, 0.0),
        ([0.4, 0.1], 5, math.nan),
        ([0.4, math.nan], 2, math.nan),
    ],
)
def test_kaplan_yorke_dimension(exponents, states, dimension):
    found = kaplan_yorke_dimension(np.array(exponents), states)
    assert found == pytest.approx(dimension, nan_ok=True)


def test_the_dimension_is_where_the_interpolated_sum_is_0():
    exponents = np.sort(np.random.default_rng(17).normal(-0.3, 1, size=30))[::-1]
    sums = np.concatenate([[0], np.cumsum(exponents)])
    ranks = np.arange(31)
    last = int(np.flatnonzero(sums >= 0)[-1])
    expected = np.interp(0, -sums[last : last + 2], ranks[last : last + 2])
    assert kaplan_yorke_dimension(exponents, 30) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("exponents", "states", "rate"),
    [([0.5, 0.2, -1], 3, 0.7), ([-0.5, -1], 2, 0), ([0.5, 0.2], 3, math.nan), ([0.5, -0.1], 3, 0.5)],
)
def test_entropy_rate_is_the_sum_of_the_positive_exponents(exponents, states, rate):
    count = len(exponents)
    spectrum = LyapunovSpectrum(np.array(exponents), np.zeros(count), np.zeros(count), states, 100)
    assert spectrum.entropy_rate == pytest.approx(rate, nan_ok=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponents": 0}, "exponents: expected an integer from 1 to 3, received 0"),
        ({"exponents": 4}, "exponents: expected an integer from 1 to 3, received 4"),
        ({"warm_up": 10}, "warm_up: expected an integer from 0 to 9, received 10"),
        ({"warm_up": -1}, "warm_up: expected an integer from 0 to 9, received -1"),
        ({"seed": -1}, "seed: expected an integer of at least 0, received -1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        measure_lyapunov(constant(np.eye(3), 10), **arguments)
