import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import effective_width, glorot_growth, glorot_time_scale, sensitivity


@pytest.mark.parametrize("decay", [-0.9, 0.0, 0.5, 0.99])
def test_sensitivity_is_its_sum(decay):
    # h = sum_k l^k x_k and dh/dl = sum_k k l^(k-1) x_k: variances add.
    lags = np.arange(1, 20_000)
    expected = (1 + np.sum(decay ** (2.0 * lags)), np.sum(lags**2 * decay ** (2.0 * (lags - 1))))
    assert sensitivity(decay) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("decay", [-0.6, 0.5, 0.9])
def test_sensitivity_solves_the_moments_of_the_joint_recurrence(decay):
    # (h, d)' = (l h + x, l d + h): stationary E h^2 = s, E h d = m, E d^2 = v, by one linear system.
    a = np.array([[decay, 0.0], [1.0, decay]])
    noise = np.array([[1.0, 0.0], [0.0, 0.0]])
    covariance = np.linalg.solve(np.eye(4) - np.kron(a, a), noise.ravel()).reshape(2, 2)
    assert sensitivity(decay) == pytest.approx((covariance[0, 0], covariance[1, 1]), rel=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_sensitivity_is_what_a_simulation_finds(decay):
    rng = np.random.default_rng(0)
    state, gradient = np.zeros(200_000), np.zeros(200_000)
    for _ in range(150):
        state, gradient = decay * state + rng.normal(size=state.shape), decay * gradient + state
    assert (np.mean(state**2), np.mean(gradient**2)) == pytest.approx(sensitivity(decay), rel=0.02)


def test_the_gradient_grows_as_the_cube_of_the_memory():
    near, far = sensitivity(1 - 1e-4), sensitivity(1 - 1e-5)
    assert far.state / near.state == pytest.approx(10, rel=1e-3)
    assert far.gradient / near.gradient == pytest.approx(1000, rel=1e-3)


@pytest.mark.parametrize("decay", [-1.0, 1.0, 1.5, math.nan])
def test_decays_outside_the_unit_interval_are_refused(decay):
    with pytest.raises(ArgumentError, match=r"decay: expected a number in \(-1, 1\), received"):
        sensitivity(decay)


def cycles(permutation):
    seen, count = set(), 0
    for start in range(len(permutation)):
        count += start not in seen
        while start not in seen:
            seen.add(start)
            start = permutation[start]
    return count


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("units", [1, 2, 3, 7])
def test_glorot_growth_is_the_sum_over_all_pairings(steps, units):
    """E tr W^t W*^t by Wick's theorem: every W of one factor pairs with one conjugate of the other.

    W_{i0 i1} ... W_{i(t-1) it} conj(W_{j0 j1} ... W_{j(t-1) jt}), i0 = j0 and it = jt: pairing the k-th with
    the p(k)-th sets i(k) = j(p(k)) and i(k+1) = j(p(k)+1); every class of equal indices is a factor H.
    """
    total = 0
    for pairing in itertools.permutations(range(steps)):
        graph = {("i", 0): {("j", 0)}, ("i", steps): {("j", steps)}}
        for first, second in enumerate(pairing):
            for shift in (0, 1):
                graph.setdefault(("i", first + shift), set()).add(("j", second + shift))
        nodes = [(side, index) for side in "ij" for index in range(steps + 1)]
        label = {node: number for number, node in enumerate(nodes)}
        for _ in nodes:
            for node, others in graph.items():
                for other in others:
                    label[node] = label[other] = min(label[node], label[other])
        total += units ** len(set(label.values()))
    expected = Fraction(total, units ** (steps + 1))
    assert glorot_growth(steps, units) == pytest.approx(float(expected), rel=1e-12)


def test_glorot_growth_matches_a_count_of_permutation_cycles():
    # The same sum by group theory: over all (t+1)-cycles c, H to the number of cycles of (1 2 ... t+1) c.
    steps, units = 6, 5
    size, total = steps + 1, 0
    for rest in itertools.permutations(range(1, size)):
        ring = (0, *rest)
        step = {ring[k]: ring[(k + 1) % size] for k in range(size)}
        total += units ** cycles([(step[k] + 1) % size for k in range(size)])
    assert glorot_growth(steps, units) == pytest.approx(total / units**size, rel=1e-12)


@pytest.mark.parametrize(("steps", "tolerance"), [(4, 0.01), (8, 0.03), (12, 0.06)])
def test_glorot_growth_is_what_complex_gaussian_kernels_do(steps, tolerance):
    units, kernels = 36, 3000
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(2, kernels, units, units)) / math.sqrt(2 * units)
    kernel = parts[0] + 1j * parts[1]
    vector = np.ones((kernels, units, 1), dtype=complex)
    for _ in range(steps):
        vector = kernel @ vector
    growth = np.sum(np.abs(vector) ** 2, axis=(1, 2)) / units
    assert growth.mean() == pytest.approx(glorot_growth(steps, units), rel=3 * tolerance)
    assert growth.std() / math.sqrt(kernels) < tolerance * growth.mean()


def test_real_gaussian_kernels_leave_infinite_width_at_root_h():
    rng = np.random.default_rng(2)
    means = {}
    for units in (25, 100):
        kernel = rng.normal(size=(2000, units, units)) / math.sqrt(units)
        vector = rng.normal(size=(2000, units, 1))
        for step in range(1, int(1.5 * math.sqrt(units)) + 1):
            vector = kernel @ vector
            means[units, step] = float(np.mean(np.sum(vector**2, axis=(1, 2)))) / units
        assert means[units, 1] == pytest.approx(1, abs=0.03)
        assert means[units, int(0.4 * math.sqrt(units))] == pytest.approx(1, abs=0.06)
    # At t = 1.5 sqrt(H) both have grown, more than complex kernels, which have 1.21 and 1.25 there.
    assert means[25, 7] > 1.1 * glorot_growth(7, 25) > 1.3
    assert means[100, 15] > 1.1 * glorot_growth(15, 100) > 1.3
    assert means[100, 7] < 1.1


@pytest.mark.parametrize("multiple", [0.5, 1.0, 2.0, 3.0])
def test_wide_layers_share_one_law_of_the_scaled_length(multiple):
    half = multiple**2 / 2
    units = 1_000_000
    growth = glorot_growth(int(multiple * glorot_time_scale(units)), units)
    assert growth == pytest.approx(math.sinh(half) / half, rel=5e-3)


def test_short_sequences_are_stable_and_long_ones_are_not():
    for units in (64, 1024, 65_536):
        scale = glorot_time_scale(units)
        assert glorot_growth(int(0.3 * scale), units) < 1.01
        assert glorot_growth(int(4 * scale), units) > 50


def test_glorot_growth_at_its_ends():
    assert glorot_growth(0, 10) == pytest.approx(1)
    assert glorot_growth(7, 1) == pytest.approx(math.factorial(7))
    assert glorot_growth(1, 10**9) == pytest.approx(1, abs=1e-9)
    assert glorot_growth(100_000, 100) == math.inf


def test_arguments_of_the_glorot_laws_are_checked():
    with pytest.raises(ArgumentError, match="units: expected an integer of at least 1, received 0"):
        glorot_time_scale(0)
    with pytest.raises(ArgumentError, match="units: expected an integer of at least 1, received 0"):
        glorot_growth(1, 0)
    with pytest.raises(ArgumentError, match="time_steps: expected an integer of at least 0, received -1"):
        glorot_growth(-1, 4)


@pytest.mark.parametrize(("steps", "size"), [(1, 3), (4, 3), (10, 5), (3, 1)])
def test_the_effective_width_is_that_of_a_sum_of_uniform_steps(steps, size):
    """A second route: the distribution itself, by convolving the uniform one with itself."""
    distribution = np.ones(1)
    for _ in range(steps):
        distribution = np.convolve(distribution, np.full(size, 1 / size))
    places = np.arange(len(distribution)) - (len(distribution) - 1) / 2
    assert effective_width(steps, size) == pytest.approx(math.sqrt(places**2 @ distribution), abs=1e-12)


def test_arguments_of_the_width_are_named():
    with pytest.raises(ArgumentError, match="^time_steps: expected an integer of at least 1, received 0$"):
        effective_width(0, 3)
