"""The singular values of products against exact arithmetic, in fractions and hundreds of decimals."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from rnnexp.probes.jacobian_products import measure_jacobian
from rnnexp.probes.jacobians import ElmanJacobians


def multiplied(left, right):
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in zip(*right, strict=True)]
        for row in left
    ]


def exact_product(jacobians, lag):
    """J_T ... J_{T-lag+1} of the first sample in exact fractions."""
    steps, _, states = jacobians.shape
    whole = [[Fraction(int(row == column)) for column in range(states)] for row in range(states)]
    for index in range(steps - lag, steps):
        whole = multiplied(
            [[Fraction(float(entry)) for entry in row] for row in jacobians.step(index)[0]], whole
        )
    return whole


def exact_log_sigma(whole):
    """ln of the singular values of a matrix of fractions, by its exact characteristic polynomial.

    sigma^2 are the roots of det(x - P^T P). In falling order the k-th is near e_k / e_{k-1}, the elementary
    symmetric functions of the roots; from there Newton's method finds it, in 400 decimals.
    """
    size = len(whole)
    gram = multiplied(list(zip(*whole, strict=True)), whole)
    # Faddeev-LeVerrier: the coefficients of det(x - G), the highest first.
    coefficients, power = [Fraction(1)], [[Fraction(0)] * size for _ in range(size)]
    for order in range(1, size + 1):
        for index in range(size):
            power[index][index] += coefficients[-1]
        power = multiplied(gram, power)
        coefficients.append(-sum(power[index][index] for index in range(size)) / order)
    logs = []
    with localcontext() as context:
        context.prec = 400
        decimals = [Decimal(c.numerator) / Decimal(c.denominator) for c in coefficients]
        for order in range(1, size + 1):
            root = -decimals[order] / decimals[order - 1]
            for _ in range(40):
                value, slope = Decimal(0), Decimal(0)
                for coefficient in decimals:
                    value, slope = value * root + coefficient, slope * root + value
                root -= value / slope
            logs.append(float(root.log10()) * math.log(10) / 2)
    return np.array(logs)


def exact_rank(whole):
    rows, rank = [list(row) for row in whole], 0
    for column in range(len(rows)):
        pivot = next((row for row in range(rank, len(rows)) if rows[row][column] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for row in range(rank + 1, len(rows)):
            share = rows[row][column] / rows[rank][column]
            rows[row] = [entry - share * top for entry, top in zip(rows[row], rows[rank], strict=True)]
        rank += 1
    return rank


def dyadic_network(units, steps, saturation, seed):
    """An Elman network whose entries are exact fractions, none 0; half of its slopes are small."""
    rng = np.random.default_rng(seed)
    kernel = rng.integers(1, 17, size=(units, units)) / 8 * rng.choice([-1, 1], size=(units, units))
    live = rng.integers(1, 9, size=(steps, 1, units)) / 8
    return ElmanJacobians(live * saturation ** rng.integers(0, 2, size=live.shape), kernel)


@pytest.mark.parametrize("saturation", [1, 2**-12, 2**-20, 2**-40, 2**-80])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_small_singular_values_agree_with_exact_arithmetic(saturation, seed):
    # At 2^-80 one step alone spans 24 decades: no float64 matrix J_t^T Q holds that.
    jacobians = dyadic_network(4, 60, float(saturation), seed)
    measured = measure_jacobian(jacobians, lags=[1, 2, 5, 59])
    for lag, found in zip(measured.lags, measured.log_sigma[:, 0], strict=True):
        expected = exact_log_sigma(exact_product(jacobians, int(lag)))
        assert found == pytest.approx(expected, abs=1e-8 * lag)
        assert found[0] == pytest.approx(expected[0], abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_dead_units_leave_singular_values_of_the_exact_rank(seed):
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-8, 9, size=(8, 8)) / 8
    jacobians = ElmanJacobians((rng.random((6, 1, 8)) < 0.8) * 1.0, kernel)
    measured = measure_jacobian(jacobians, lags=range(6))
    for lag, found in zip(measured.lags, measured.log_sigma[:, 0], strict=True):
        whole = exact_product(jacobians, int(lag))
        rank = exact_rank(whole)
        assert np.isneginf(found[rank:]).all()
        naive = np.linalg.svd(np.array(whole, dtype=np.float64), compute_uv=False)
        assert found[:rank] == pytest.approx(np.log(naive[:rank]), abs=1e-7)
    assert 0 < rank < 8
