import math

import numpy as np
import pytest

from rnnexp.probes.jacobians import ElmanJacobians, GivenJacobians, autonomous_jacobians, step_sigma_max
from rnnexp.runtime.checks import ArgumentError

TANH = (np.tanh, lambda a: np.cosh(a) ** -2.0)


def elman(steps=4, samples=3, units=5, seed=0):
    rng = np.random.default_rng(seed)
    slopes, kernel = rng.uniform(-1, 1, size=(steps, samples, units)), rng.normal(size=(units, units))
    return ElmanJacobians(slopes, kernel), slopes, kernel


def given(jacobians):
    return GivenJacobians(np.array([jacobians.step(index) for index in range(jacobians.shape[0])]))


def test_the_closed_form_agrees_with_central_differences():
    rng = np.random.default_rng(1)
    kernel, projected, state = rng.normal(size=(6, 6)), rng.normal(size=(2, 6)), rng.normal(size=(2, 6))
    slopes = np.cosh(projected + state @ kernel) ** -2
    jacobian = ElmanJacobians(slopes[np.newaxis], kernel).step(0)
    for unit in range(6):
        moved = 1e-6 * np.eye(6)[unit]
        above = np.tanh(projected + (state + moved) @ kernel)
        below = np.tanh(projected + (state - moved) @ kernel)
        assert jacobian[:, :, unit] == pytest.approx((above - below) / 2e-6, abs=1e-9)


@pytest.mark.parametrize("kind", ["elman", "given"])
def test_the_chains_carry_vectors_forward_and_gradients_back(kind):
    jacobians, slopes, kernel = elman()
    steps = [slopes[t][:, :, np.newaxis] * kernel.T for t in range(4)]
    if kind == "given":
        jacobians = given(jacobians)
    assert jacobians.shape == (4, 3, 5)
    vectors = np.random.default_rng(2).normal(size=(3, 5, 2))
    expected = steps[3] @ steps[2] @ steps[1] @ vectors
    assert jacobians.forward().apply(1, 4, vectors) == pytest.approx(expected, abs=1e-14)
    back = steps[1].swapaxes(1, 2) @ steps[2].swapaxes(1, 2) @ steps[3].swapaxes(1, 2) @ vectors
    assert jacobians.backward().apply(0, 3, vectors) == pytest.approx(back, abs=1e-14)
    assert jacobians.forward().apply(2, 2, vectors) is vectors
    assert jacobians.forward().time_steps == jacobians.backward().time_steps == 4


@pytest.mark.parametrize("scale", [1e-160, 1.0, 1e90])
def test_log_gain_is_the_frobenius_norm_of_every_step(scale):
    jacobians, slopes, kernel = elman()
    expected = [
        [np.log(np.linalg.norm(slopes[t, b][:, np.newaxis] * kernel.T) / math.sqrt(5)) for b in range(3)]
        for t in range(4)
    ]
    scaled = ElmanJacobians(slopes * scale, kernel)
    assert scaled.log_gain() == pytest.approx(np.array(expected) + math.log(scale), rel=1e-13, abs=1e-13)
    assert given(jacobians).log_gain() == pytest.approx(jacobians.log_gain(), abs=1e-13)


def test_log_gain_is_the_growth_of_a_random_direction():
    jacobians, _, _ = elman()
    vectors = np.random.default_rng(3).normal(size=(3, 5, 100_000))
    grown = np.sum(jacobians.forward().apply(0, 1, vectors) ** 2, axis=1).mean(axis=1)
    assert np.exp(2 * jacobians.log_gain()[0]) == pytest.approx(grown / 5, rel=0.02)


def test_step_sigma_max_bounds_every_direction_and_is_reached():
    jacobians, _, _ = elman()
    sigma = step_sigma_max(jacobians)
    assert sigma.shape == (4, 3)
    for index in range(4):
        for sample in range(3):
            vector = np.ones(5)
            step = jacobians.step(index)[sample]
            for _ in range(500):
                vector = step.T @ (step @ vector)
                vector /= np.linalg.norm(vector)
            assert sigma[index, sample] == pytest.approx(np.linalg.norm(step @ vector), rel=1e-12)
    assert step_sigma_max(jacobians, np.array([3, 0])) == pytest.approx(sigma[[3, 0]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_a_sample_with_a_number_that_is_not_finite_is_marked(value):
    _, slopes, kernel = elman()
    slopes[2, 1, 0] = value
    jacobians = ElmanJacobians(slopes, kernel)
    assert jacobians.finite.tolist() == [True, False, True]
    assert np.isfinite(jacobians.step(2)).all()
    assert np.isnan(jacobians.log_gain()).tolist() == [[False, True, False]] * 4
    assert np.isnan(step_sigma_max(jacobians)).tolist() == [[False, True, False]] * 4
    matrices = np.ones((4, 3, 2, 2))
    matrices[0, 2, 1, 1] = value
    assert GivenJacobians(matrices).finite.tolist() == [True, True, False]


def test_a_kernel_that_is_not_finite_marks_every_sample():
    _, slopes, kernel = elman()
    kernel[0, 0] = np.nan
    jacobians = ElmanJacobians(slopes, kernel)
    assert not jacobians.finite.any()
    assert np.isfinite(jacobians.step(0)).all()


def test_a_dead_step_has_no_gain():
    slopes = np.ones((2, 1, 3))
    slopes[1] = 0
    assert ElmanJacobians(slopes, np.eye(3)).log_gain()[:, 0].tolist() == [0.0, -math.inf]


def test_float32_is_taken():
    _, slopes, kernel = elman()
    single = ElmanJacobians(slopes.astype(np.float32), kernel.astype(np.float32))
    assert single.step(0).dtype == np.float64


@pytest.mark.parametrize("shape", [(3, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_other_slopes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\), received"):
        ElmanJacobians(np.zeros(shape), np.eye(2))


def test_another_kernel_is_refused():
    expected = r"recurrent_kernel: expected an array \(3, 3\), received \(2, 2\)"
    with pytest.raises(ArgumentError, match=expected):
        ElmanJacobians(np.zeros((1, 1, 3)), np.eye(2))


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 1, 3, 4), (0, 1, 3, 3), (2, 0, 3, 3)])
def test_other_jacobians_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"jacobians: expected a non-empty array \(T, B, H, H\)"):
        GivenJacobians(np.zeros(shape))


def test_a_trajectory_without_input_is_that_of_a_loop():
    kernel = np.random.default_rng(0).normal(size=(5, 5))
    every = autonomous_jacobians(kernel, *TANH, time_steps=12, samples=3, discard=0, seed=4)
    late = autonomous_jacobians(kernel, *TANH, time_steps=2, samples=3, discard=10, seed=4)
    assert every.shape == (12, 3, 5)
    for step in range(2):
        assert np.array_equal(late.step(step), every.step(10 + step))
    # Slopes of tanh give the states' moduli back: 1 - h^2.
    states = np.sqrt(1 - every.step(3)[:, :, 0] / kernel.T[:, 0])
    following = np.sqrt(1 - every.step(4)[:, :, 0] / kernel.T[:, 0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1).T
    for sample in range(3):
        candidates = np.abs(np.tanh((signs * states[sample]) @ kernel))
        assert np.abs(candidates - following[sample]).max(axis=1).min() < 1e-9


def test_samples_and_seeds_without_input_differ():
    kernel = 2 * np.eye(4)
    first = autonomous_jacobians(kernel, *TANH, time_steps=1, samples=2, discard=0, seed=0)
    assert not np.array_equal(first.step(0)[0], first.step(0)[1])
    other = autonomous_jacobians(kernel, *TANH, time_steps=1, samples=2, discard=0, seed=1)
    assert not np.array_equal(first.step(0), other.step(0))
    again = autonomous_jacobians(kernel, *TANH, time_steps=1, samples=2, discard=0, seed=0)
    assert np.array_equal(first.step(0), again.step(0))


def test_a_contracting_network_forgets_its_state():
    jacobians = autonomous_jacobians(0.5 * np.eye(3), *TANH, time_steps=2, discard=60)
    assert jacobians.step(1)[0] == pytest.approx(0.5 * np.eye(3), abs=1e-15)


@pytest.mark.parametrize(
    ("name", "minimum"), [("time_steps", 1), ("samples", 1), ("discard", 0), ("seed", 0)]
)
def test_arguments_without_input_are_checked(name, minimum):
    arguments = {"time_steps": 5, name: minimum - 1}
    with pytest.raises(ArgumentError, match=f"{name}: expected an integer of at least {minimum}, received"):
        autonomous_jacobians(np.eye(2), *TANH, **arguments)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0)])
def test_other_kernels_without_input_are_refused(shape):
    with pytest.raises(
        ArgumentError, match=r"recurrent_kernel: expected a non-empty array \(H, H\), received"
    ):
        autonomous_jacobians(np.zeros(shape), *TANH, time_steps=3)
