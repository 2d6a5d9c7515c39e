import numpy as np
import pytest

from rnnexp.probes.autonomous import autonomous_jacobians
from rnnexp.runtime.checks import ArgumentError

TANH = (np.tanh, lambda a: np.cosh(a) ** -2.0)


def test_the_trajectory_is_that_of_a_loop():
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


def test_samples_and_seeds_differ():
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
def test_arguments_are_checked(name, minimum):
    arguments = {"time_steps": 5, name: minimum - 1}
    with pytest.raises(ArgumentError, match=f"{name}: expected an integer of at least {minimum}, received"):
        autonomous_jacobians(np.eye(2), *TANH, **arguments)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0)])
def test_other_kernels_are_refused(shape):
    with pytest.raises(
        ArgumentError, match=r"recurrent_kernel: expected a non-empty array \(H, H\), received"
    ):
        autonomous_jacobians(np.zeros(shape), *TANH, time_steps=3)
