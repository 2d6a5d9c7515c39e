import math

import numpy as np
import pytest

from rnnexp.analysis.survival import median_steps
from rnnexp.runtime.checks import ArgumentError

INF = math.inf


def by_hand(train_steps, solved):
    """S from its definition, one step after another, with Greenwood's log(-log S) interval at each."""
    found, survival, variance = [], 1.0, 0.0
    for step in sorted(set(train_steps)):
        at_risk = sum(other >= step for other in train_steps)
        died = sum(other == step and hit for other, hit in zip(train_steps, solved, strict=True))
        if died:
            survival *= 1 - died / at_risk
            if died == at_risk:
                found.append((step, 0.0, 0.0, INF))
                continue
            variance += died / (at_risk * (at_risk - died))
            half = 1.959963984540054 * math.sqrt(variance) / abs(math.log(survival))
            low, high = (survival ** math.exp(sign * half) for sign in (1, -1))
            found.append((step, survival, low, high))
    return [next((step for step, *ends in found if ends[column] <= 0.5), INF) for column in range(3)]


@pytest.mark.parametrize("seed", range(8))
def test_the_median_is_that_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    train_steps = rng.integers(1, 40, 25) * 50
    solved = train_steps < 1000 + 100 * seed
    assert median_steps(train_steps, solved) == pytest.approx(by_hand(train_steps.tolist(), solved.tolist()))


def test_without_censoring_it_is_the_middle_run():
    assert median_steps(np.array([500, 100, 300, 200, 400]), np.ones(5, bool)).value == 300


@pytest.mark.parametrize(
    ("train_steps", "solved", "expected"),
    [
        ([900, 900, 900], [False] * 3, (INF, INF, INF)),
        ([100, 900, 900], [True, False, False], (INF, 100, INF)),
        ([70], [True], (70, 70, INF)),
        ([], [], (math.nan,) * 3),
    ],
)
def test_few_runs_and_few_successes(train_steps, solved, expected):
    found = median_steps(np.array(train_steps), np.array(solved, bool))
    assert found == pytest.approx(expected, nan_ok=True)


def test_the_interval_covers_the_median():
    """1000 groups of 12 seeds, geometric times of known median, censored at 2.2 medians."""
    rng = np.random.default_rng(0)
    times = rng.exponential(1 / math.log(2), (1000, 12))
    solved = times < 2.2
    found = [median_steps(np.minimum(row, 2.2), hit) for row, hit in zip(times, solved, strict=True)]
    covered = np.mean([median.low <= 1 <= median.high for median in found])
    assert 0.93 < covered < 0.99


def test_steps_and_outcomes_belong_together():
    with pytest.raises(ArgumentError, match="solved: expected shape"):
        median_steps(np.array([1, 2]), np.array([True]))
