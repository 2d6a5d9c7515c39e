import math

import numpy as np
import pytest

from rnnexp.tasks.narma10 import Narma10, narma10


def by_the_equation(drive):
    """The system as it is written down, one sequence, its past at zero, by index."""
    u = {t: float(value) for t, value in enumerate(drive, start=1)}
    v = {1: 0.0}
    for t in range(1, len(drive) + 1):
        past = sum(v.get(t - i, 0.0) for i in range(10))
        v[t + 1] = min(1.0, 0.3 * v[t] + 0.05 * v[t] * past + 1.5 * u.get(t - 9, 0.0) * u[t] + 0.1)
    return v[len(drive) + 1]


@pytest.mark.parametrize("steps", [1, 9, 10, 40])
def test_the_target_is_that_of_the_equation(steps):
    x, y = Narma10(steps).batch(0, "train", 0, 20)
    assert 0 <= x.min() and x.max() < 0.5
    expected = [[by_the_equation(sequence[:, 0])] for sequence in x]
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_the_constant_drive_has_the_fixed_point_of_the_equation():
    """With u constant, v = .3 v + .5 v^2 + 1.5 u^2 + .1: the smaller root."""
    u = 0.2
    root = 0.7 - math.sqrt(0.7**2 - 4 * 0.5 * (1.5 * u**2 + 0.1))
    assert narma10(np.full((1, 300), u))[0] == pytest.approx(root, abs=1e-12)


@pytest.mark.parametrize("steps", [20, 200])
def test_floors_are_what_the_best_constant_scores(steps):
    task = Narma10(steps)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)]).astype(np.float64)
    squared = (y - y.mean()) ** 2
    # Both routes are simulations; that of the task has a fifth of the variance of this one.
    assert squared.mean() == pytest.approx(task.floor_loss, abs=4.5 * squared.std() / math.sqrt(len(y)))
    errors = task.errors(np.full_like(y, y.mean()), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=4.5 * errors.std() / math.sqrt(len(y)))
