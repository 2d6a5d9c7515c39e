import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.recall_real import RecallReal


@pytest.mark.parametrize(("lag", "step"), [(None, 0), (0, 9), (4, 5), (9, 0)])
def test_the_target_is_the_number_of_some_steps_ago(lag, step):
    x, y = RecallReal(10, lag).batch(0, "train", 0, 20)
    np.testing.assert_array_equal(y, x[:, step])


def test_numbers_are_uniform():
    x = RecallReal(50).batch(0, "train", 0, 1000).x
    counts, _ = np.histogram(x, bins=20, range=(-1, 1))
    assert counts.sum() == x.size
    # 99.9 % of chi-squared with 19 degrees of freedom.
    assert np.sum((counts - x.size / 20) ** 2 / (x.size / 20)) < 43.8


def test_floors_are_the_integrals_over_the_number():
    """A second route to both floors: the midpoint rule over [-1, 1]."""
    task = RecallReal(10)
    numbers = (np.arange(100_000) + 0.5) / 50_000 - 1
    assert np.mean(numbers**2) == pytest.approx(task.floor_loss, rel=1e-8)
    assert np.mean(np.abs(numbers) > 0.1) == pytest.approx(task.floor_error, abs=1e-5)


def test_no_other_step_helps():
    """A least-squares fit to all other numbers explains no more of the target than chance would."""
    x, y = RecallReal(11).batch(0, "train", 0, 20_000)
    others = np.c_[np.ones(len(y)), x[:, 1:, 0]].astype(np.float64)
    left = y[:, 0] - others @ np.linalg.lstsq(others, y[:, 0], rcond=None)[0]
    assert 1 - np.mean(left**2) / y.var() < 29.6 / 20_000  # 99.9 % of chi-squared with 10, over n
    assert np.mean(left**2) == pytest.approx(1 / 3, abs=4 * math.sqrt(4 / 45 / 20_000))


def test_the_criterion_is_on_the_absolute_error():
    y = np.zeros((5, 1))
    errors = RecallReal(3).errors(np.array([[0.099], [-0.099], [0.101], [np.inf], [np.nan]]), y)
    np.testing.assert_array_equal(errors, [0, 0, 1, 1, 1])


@pytest.mark.parametrize("lag", [-1, 10, 0.5])
def test_a_bad_lag_is_named(lag):
    with pytest.raises(ArgumentError) as caught:
        RecallReal(10, lag)
    assert str(caught.value) == f"lag: expected an integer from 0 to 9, received {lag!r}"
