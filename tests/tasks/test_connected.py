import math

import numpy as np
import pytest
from scipy import ndimage

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.connected import Connected, reached


@pytest.mark.parametrize("side", [3, 8])
def test_the_answer_is_that_of_labelled_components(side):
    """A second route: SciPy's labels of connected components."""
    x, y = Connected(2, side).batch(0, "train", 0, 300)
    for image, answer in zip(x[:, 0].reshape(-1, side, side), y, strict=True):
        labels, _ = ndimage.label(image >= 0)
        marks = labels[image == 1]
        assert len(marks) == 2
        assert answer == (marks[0] == marks[1])


def test_the_image_is_there_at_every_step():
    x, _ = Connected(5).batch(0, "train", 0, 10)
    assert x.shape == (10, 5, 64)
    np.testing.assert_array_equal(x, np.repeat(x[:, :1], 5, axis=1))
    assert set(np.unique(x)) == {-1, 0, 1}


def test_floors_are_those_of_a_fair_coin():
    task = Connected(1)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)])
    share = y.mean()
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert entropy == pytest.approx(task.floor_loss, abs=8 / len(y))
    errors = task.errors(np.tile([1.0, 0.0], (len(y), 1)), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=4 * 0.5 / math.sqrt(len(y)))


def test_a_path_is_followed_round_corners_and_not_across_them():
    maze = np.array([[[1, 1, 1], [0, 0, 1], [1, 0, 0]]], bool)
    start = np.zeros_like(maze)
    start[0, 0, 0] = True
    np.testing.assert_array_equal(reached(maze, start), [[[1, 1, 1], [0, 0, 1], [0, 0, 0]]])


def test_a_batch_of_one_is_filled_too():
    answers = {int(Connected(1).batch(0, "train", index, 1).y[0]) for index in range(20)}
    assert answers == {0, 1}


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match="^side: expected an integer of at least 3, received 2$"):
        Connected(5, side=2)
    with pytest.raises(ArgumentError, match="^seq_len: expected an integer of at least 1, received 0$"):
        Connected(0)
