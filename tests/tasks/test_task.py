import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.task import Batch, Task, class_floor, held_out_share, misclassified, one_hot


class Echo(Task):
    """The least that a task is: every batch tells its own coordinates."""

    def __init__(self):
        pass

    def batch(self, seed, stream, index, batch_size):
        return Batch(np.full((batch_size, 1, 1), index), np.array([seed, stream, index, batch_size]))


def test_a_task_needs_a_length_and_batches():
    with pytest.raises(TypeError, match="abstract methods '?__init__'?, '?batch'?"):
        Task(seq_len=5)  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("batch_size", "batches"), [(1000, 10), (64, 157), (9999, 2), (10000, 1), (20000, 1)]
)
def test_validation_draws_at_least_10000_sequences(batch_size, batches):
    drawn = list(Echo().validation(5, batch_size))
    assert len(drawn) == batches
    assert sum(len(batch.x) for batch in drawn) >= 10_000 > sum(len(batch.x) for batch in drawn[:-1])
    for index, batch in enumerate(drawn):
        assert batch.y.tolist() == ["5", "validation", str(index), str(batch_size)]


@pytest.mark.parametrize("shape", [(), (4,), (3, 5)])
def test_one_hot_is_1_at_the_class_and_0_elsewhere(shape):
    classes = np.random.default_rng(0).integers(7, size=shape, dtype=np.int8)
    encoded = one_hot(classes, 7)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, classes[..., None] == np.arange(7))


def test_misclassified_compares_the_largest_logit():
    logits = np.array([[0.1, 0.2, -1], [5, 4, 3], [-3, -2, -1]])
    np.testing.assert_array_equal(misclassified(logits, np.array([1, 1, 2])), [False, True, False])


def test_misclassified_keeps_leading_axes():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected = [[max(range(4), key=logits[b, t].__getitem__) != 0 for t in range(3)] for b in range(2)]
    np.testing.assert_array_equal(misclassified(logits, np.zeros((2, 3), dtype=int)), expected)


def test_a_nan_is_never_right():
    logits = np.full((3, 3), np.nan)
    logits[1, 1:] = 0
    logits[2, :2] = 0
    assert misclassified(logits, np.array([0, 0, 2])).all()


def test_infinite_logits_are_compared_as_numbers():
    logits = np.array([[-np.inf, 0, np.inf], [-np.inf, 0, -np.inf]])
    np.testing.assert_array_equal(misclassified(logits, np.array([2, 1])), [False, False])


def test_class_floor_is_the_minimum_over_constants():
    rng = np.random.default_rng(0)
    counts = np.array([3, 0, 11, 6])
    y = np.repeat(np.arange(4), counts)
    floor_loss, floor_error = class_floor(counts)
    constants = np.vstack([rng.dirichlet(np.ones(4), size=2000), (counts + 1e-12) / counts.sum()])
    losses = -np.log(constants)[:, y].mean(axis=1)
    assert losses.min() == losses[-1] == pytest.approx(floor_loss, abs=1e-10)
    assert floor_error == pytest.approx(min(np.mean(y != k) for k in range(4)), abs=1e-15)


@pytest.mark.parametrize("classes", [1, 2, 10, 1000])
def test_class_floor_of_equal_classes(classes):
    floor_loss, floor_error = class_floor(np.full(classes, 3))
    assert floor_loss == pytest.approx(math.log(classes), abs=1e-13)
    assert floor_error == pytest.approx(1 - 1 / classes, abs=1e-15)


@pytest.mark.parametrize("value", [0.01, 0.1, 0.99, np.float32(0.5)])
def test_held_out_share_takes_shares(value):
    assert held_out_share(value) == value


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, 0.009, -0.1, math.nan, "0.1", None, True])
def test_held_out_share_refuses_all_else(value):
    with pytest.raises(ArgumentError) as caught:
        held_out_share(value)
    assert str(caught.value) == f"held_out: expected a number in [0.01, 0.99], received {value!r}"
