import numpy as np
import pytest

from rnnexp.probes.log_rms import log_rms

LOGS = np.random.default_rng(0).normal(size=(5, 4, 7))


@pytest.mark.parametrize("shift", [-1000.0, 0.0, 1000.0])
def test_it_is_the_root_mean_square_at_any_size(shift):
    expected = np.log(np.sqrt(np.mean(np.exp(LOGS) ** 2, axis=2))) + shift
    np.testing.assert_allclose(log_rms(LOGS + shift), expected, atol=1e-12)


def test_weights_are_those_of_the_squares():
    weights = np.random.default_rng(1).dirichlet(np.ones(7), size=3)
    expected = np.log(np.sqrt(np.einsum("rb,tb->rt", weights, np.exp(LOGS[0]) ** 2)))
    np.testing.assert_allclose(log_rms(LOGS[0], weights), expected, atol=1e-13)


def test_zeros_infinity_and_nan():
    rows = np.array([[-np.inf, -np.inf], [-np.inf, 0.0], [np.inf, 0.0], [np.nan, 0.0]])
    np.testing.assert_allclose(log_rms(rows), [-np.inf, np.log(0.5) / 2, np.inf, np.nan])


def test_where_the_largest_has_no_weight_the_rest_is_no_zero():
    rows = np.array([[0.0, -800.0, -np.inf]])
    found = log_rms(rows, np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(found, [[-300.0], [-np.inf]])
