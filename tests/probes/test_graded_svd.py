import math

import numpy as np
import pytest

from rnnexp.probes import graded_svd
from rnnexp.probes.graded_svd import GradedMatrix, log_singular_values


def of(log_scale, matrix):
    """diag(exp(log_scale)) matrix, for one sample."""
    sizes = np.abs(matrix).max(axis=1)
    return GradedMatrix((log_scale + np.log(sizes))[np.newaxis], (matrix / sizes[:, np.newaxis])[np.newaxis])


def orthogonal(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def dense(matrix):
    return np.exp(matrix.log_scale)[:, :, np.newaxis] * matrix.rows


def test_products_agree_with_dense_ones():
    rng = np.random.default_rng(0)
    matrix, expected = GradedMatrix.identity(3, 5), np.eye(5)
    for _ in range(4):
        transfer = rng.normal(size=(3, 5, 5)) * np.exp(rng.normal(size=(3, 5, 1)))
        matrix, expected = matrix.multiplied(transfer), transfer @ expected
        assert dense(matrix) == pytest.approx(expected, rel=1e-11, abs=1e-13)
        assert np.abs(matrix.rows).max(axis=2) == pytest.approx(1.0, abs=1e-15)


def test_a_product_may_leave_the_range_of_float64():
    matrix = GradedMatrix.identity(1, 3)
    for _ in range(100):
        matrix = matrix.multiplied(np.diag([1e200, 1.0, 1e-200])[np.newaxis])
    expected = 100 * 200 * math.log(10) * np.array([1, 0, -1])
    assert matrix.log_scale[0] == pytest.approx(expected, rel=1e-13, abs=1e-12)


def test_zero_rows_stay_zero():
    transfer = np.ones((1, 3, 3))
    transfer[0, 1] = 0
    matrix = GradedMatrix.identity(1, 3).multiplied(transfer)
    assert np.isneginf(matrix.log_scale[0]).tolist() == [False, True, False]
    again = matrix.multiplied(np.diag([0.0, 5.0, 2.0])[np.newaxis])
    assert again.log_scale[0].tolist() == [-math.inf, -math.inf, pytest.approx(math.log(2))]


def test_reordering_sorts_the_rows():
    matrix = of(np.array([1.0, 30.0, -5.0]), orthogonal(3))
    sorted_matrix = matrix.reordered(matrix.descending())
    assert np.all(np.diff(sorted_matrix.log_scale[0]) <= 0)
    assert dense(sorted_matrix)[0, 0] == pytest.approx(dense(matrix)[0, 1])


SPECTRA = {
    "equal": np.zeros(40),
    "narrow": np.linspace(2, -3, 40),
    "clustered": np.repeat([100.0, 90.0, -40.0, -2000.0], 10),
    "one block": np.linspace(0, -250, 40),
    "blocks": np.linspace(0, -4000, 40),
    "no gap, wider than one block": np.linspace(0, -1200, 150),
    "close, wider than one block": np.linspace(900, 0, 300),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_scaled_orthogonal_rows_give_scales_as_singular_values(name):
    log_sigma = SPECTRA[name]
    shuffled = np.random.default_rng(1).permutation(len(log_sigma))
    found = log_singular_values(of(log_sigma[shuffled], orthogonal(len(log_sigma))))
    assert found[0] == pytest.approx(log_sigma, abs=1e-9)


@pytest.mark.parametrize("span", [60, 200, 290])
def test_windows_change_nothing(span, monkeypatch):
    rng = np.random.default_rng(2)
    matrix = of(np.linspace(0, -span, 60), rng.normal(size=(60, 60)))
    whole = log_singular_values(matrix)
    monkeypatch.setattr(graded_svd, "_WIDEST", 8.0)
    assert log_singular_values(matrix) == pytest.approx(whole, abs=1e-9)


def test_the_sum_is_the_determinant_and_the_largest_the_norm():
    rng = np.random.default_rng(3)
    rows, log_scale = rng.normal(size=(50, 50)), np.sort(rng.uniform(-3000, 0, size=50))[::-1]
    found = log_singular_values(of(log_scale, rows))[0]
    assert np.all(np.diff(found) <= 1e-12)
    assert found.sum() == pytest.approx(log_scale.sum() + np.linalg.slogdet(rows)[1], abs=1e-9)
    head = np.exp(log_scale[:, np.newaxis]) * rows
    assert found[0] == pytest.approx(np.log(np.linalg.norm(head, 2)), abs=1e-12)


def test_dependent_rows_leave_exact_zeros():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(12, 5)) @ rng.normal(size=(5, 12))
    found = log_singular_values(of(np.linspace(0, -3, 12), rows))[0]
    assert np.isfinite(found[:5]).all()
    assert np.isneginf(found[5:]).all()


def test_zero_rows_are_zero_singular_values():
    matrix = of(np.array([0.0, 1.0, 2.0, 3.0]), orthogonal(4))
    matrix = matrix.multiplied(np.diag([1.0, 0.0, 1.0, 0.0])[np.newaxis])
    assert log_singular_values(matrix)[0] == pytest.approx([2.0, 0.0, -math.inf, -math.inf], abs=1e-14)


def test_the_zero_matrix_has_none():
    matrix = GradedMatrix.identity(2, 3).multiplied(np.zeros((2, 3, 3)))
    assert np.isneginf(log_singular_values(matrix)).all()


def test_a_decomposition_that_fails_says_so(monkeypatch):
    monkeypatch.setattr("scipy.linalg.lapack.dgejsv", lambda block, **_: (block, 0, 0, [1, 1], 0, 7))
    with pytest.raises(np.linalg.LinAlgError, match="dgejsv did not converge: info = 7"):
        log_singular_values(of(np.linspace(0, -60, 20), orthogonal(20)))
