import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.latch import Latch


def test_the_class_is_shown_first_and_noise_follows():
    x, y = Latch(20, shown=4, noise=0.5).batch(0, "train", 0, 1000)
    np.testing.assert_array_equal(x[:, :4, 0], np.repeat(2 * y[:, None] - 1, 4, axis=1))
    assert not x[:, :4, 1].any() and not x[:, 4:, 0].any()
    noise = x[:, 4:, 1].astype(np.float64)
    # Of 16,000 normal numbers, the mean square is within 5 standard errors, sqrt(2 / 16000).
    assert np.mean(noise**2) == pytest.approx(0.25, rel=5 * math.sqrt(2 / 16_000))
    assert abs(noise.mean()) < 5 * 0.5 / math.sqrt(16_000)


def test_without_noise_nothing_follows():
    assert not Latch(10, noise=0).batch(0, "train", 0, 5).x[:, 3:].any()


def test_the_noise_says_nothing_of_the_class():
    """A least-squares fit of the class to the T - L last steps explains no more than chance would."""
    x, y = Latch(13).batch(0, "train", 0, 20_000)
    noise = np.c_[np.ones(len(y)), x[:, 3:, 1]]
    fitted = noise @ np.linalg.lstsq(noise, y, rcond=None)[0]
    explained = 1 - np.mean((y - fitted) ** 2) / y.var()
    assert explained < 29.6 / 20_000  # 99.9 % of chi-squared with 10 degrees of freedom, over n


def test_floors_are_what_the_best_constant_scores():
    task = Latch(10)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)])
    share = y.mean()
    # Over a grid of constants, the best is 1/2 up to the noise of the share, and scores ln 2.
    constants = np.linspace(0.01, 0.99, 99)
    losses = -share * np.log(constants) - (1 - share) * np.log(1 - constants)
    assert losses.min() == pytest.approx(task.floor_loss, abs=8 / len(y))
    errors = task.errors(np.tile([0.0, 1.0], (len(y), 1)), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=4 * 0.5 / math.sqrt(len(y)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seq_len": 3}, "seq_len: expected more than 3, the steps that show the class, received 3"),
        ({"seq_len": 9, "shown": 0}, "shown: expected an integer of at least 1, received 0"),
        ({"seq_len": 9, "noise": -1}, "noise: expected a finite number of at least 0, received -1"),
    ],
)
def test_bad_arguments_are_named(arguments, said):
    with pytest.raises(ArgumentError) as caught:
        Latch(**arguments)
    assert str(caught.value) == said
