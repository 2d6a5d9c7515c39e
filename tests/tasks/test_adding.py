import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.adding import Adding

TARGETS = ("sum", "mean", "hochreiter")
CLOSED_FORMS = {"sum": (1 / 6, 0.36), "mean": (1 / 24, 0.36), "hochreiter": (1 / 24, 0.8464)}
RANGES = {"sum": (0, 1), "mean": (0, 1), "hochreiter": (-1, 1)}
FORMULAS = {
    "sum": lambda a, b: a + b,
    "mean": lambda a, b: (a + b) / 2,
    "hochreiter": lambda a, b: 0.5 + (a + b) / 4,
}


def marked_steps(x):
    """The two marked steps of every sequence, (B, 2), the earlier first."""
    return np.array([np.flatnonzero(sequence[:, 1]) for sequence in x])


@pytest.fixture(params=TARGETS)
def target(request):
    return request.param


def test_the_default_is_the_sum():
    assert Adding(10).target == "sum"


def test_the_target_is_that_of_the_two_marked_values(target):
    x, y = Adding(50, target).batch(0, "train", 0, 500)
    assert set(np.unique(x[:, :, 1])) == {0, 1}
    np.testing.assert_array_equal(x[:, :, 1].sum(axis=1), 2)
    for values, (first, second), (expected,) in zip(x[:, :, 0], marked_steps(x), y, strict=True):
        told = FORMULAS[target](float(values[first]), float(values[second]))
        assert expected == pytest.approx(told, abs=2e-7)  # float32 rounds a sum of size 1 to 1.2e-7


def test_values_are_uniform_over_their_range(target):
    low, high = RANGES[target]
    values = Adding(100, target).batch(0, "train", 0, 1000).x[:, :, 0].astype(np.float64)
    assert low <= values.min() and values.max() < high
    counts, _ = np.histogram(values, bins=20, range=(low, high))
    expected = values.size / 20
    chi_squared = np.sum((counts - expected) ** 2 / expected)
    assert chi_squared < 43.8  # 99.9 % of chi-squared with 19 degrees of freedom


@pytest.mark.parametrize(
    ("target", "seq_len", "first", "second"),
    [
        ("sum", 2, {0}, {1}),
        ("sum", 3, {0}, {1, 2}),
        ("sum", 20, set(range(10)), set(range(10, 20))),
        ("mean", 10, {0}, {1, 2, 3, 4}),
        ("mean", 40, set(range(4)), set(range(4, 20))),
    ],
)
def test_each_mark_is_uniform_over_its_window(target, seq_len, first, second):
    marks = marked_steps(Adding(seq_len, target).batch(0, "train", 0, 4000).x)
    for column, window in zip(marks.T, (first, second), strict=True):
        places, counts = np.unique(column, return_counts=True)
        assert set(places.tolist()) == window
        deviation = math.sqrt(4000 * (1 / len(window)) * (1 - 1 / len(window)))
        assert np.abs(counts - 4000 / len(window)).max() <= 4.5 * deviation


@pytest.mark.parametrize("seq_len", [10, 24, 100])
def test_hochreiter_marks_lie_in_first_ten_and_first_half(seq_len):
    marks = marked_steps(Adding(seq_len, "hochreiter").batch(0, "train", 0, 20_000).x)
    half = seq_len // 2
    expected = np.zeros((seq_len, seq_len))
    for p in range(10):
        others = [q for q in range(half + 1) if q != p][: half - 1]
        for q in others:
            expected[min(p, q), max(p, q)] += 1 / 10 / len(others)
    counts = np.zeros_like(expected)
    np.add.at(counts, (marks[:, 0], marks[:, 1]), 1)
    assert not counts[expected == 0].any()
    deviation = np.sqrt(20_000 * expected * (1 - expected))
    assert (np.abs(counts - 20_000 * expected) <= 5 * deviation + 1e-9).all()


def test_floors_are_the_closed_forms(target):
    task = Adding(100, target)
    assert (task.floor_loss, task.floor_error) == pytest.approx(CLOSED_FORMS[target], abs=1e-15)


def test_floors_are_what_the_best_constant_scores(target):
    task = Adding(20, target)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)]).astype(np.float64)
    constant = {"sum": 1.0, "mean": 0.5, "hochreiter": 0.5}[target]
    squared = (y - constant) ** 2
    standard_error = squared.std() / math.sqrt(len(y))
    assert squared.mean() == pytest.approx(task.floor_loss, abs=4 * standard_error)
    errors = task.errors(np.full_like(y, constant), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=4 * errors.std() / math.sqrt(len(y)))


def test_floors_are_the_integrals_over_both_values(target):
    """A second route to both floors: the midpoint rule over the square of the two values."""
    low, high = RANGES[target]
    grid = low + (np.arange(2000) + 0.5) * (high - low) / 2000
    y = FORMULAS[target](grid[:, None], grid[None, :])
    distance = np.abs(y - y.mean())
    right = {
        "sum": (distance / 2) ** 2 <= 0.04,  # Pascanu's criterion on half the sum
        "mean": distance**2 <= 0.04,
        "hochreiter": distance <= 0.04,
    }[target]
    task = Adding(100, target)
    assert np.mean(distance**2) == pytest.approx(task.floor_loss, rel=1e-6)
    assert np.mean(~right) == pytest.approx(task.floor_error, abs=2e-3)


@pytest.mark.parametrize(("target", "allowed"), [("sum", 0.4), ("mean", 0.2), ("hochreiter", 0.04)])
def test_criterion_is_on_the_squared_or_absolute_error(target, allowed):
    task = Adding(20, target)
    _, y = task.batch(0, "validation", 0, 4)
    distances = allowed * np.array([[-0.99], [0.99], [-1.01], [1.01]], dtype=np.float32)
    np.testing.assert_array_equal(task.errors(y + distances, y), [0, 0, 1, 1])


def test_infinite_predictions_are_errors(target):
    task = Adding(20, target)
    _, y = task.batch(0, "validation", 0, 2)
    np.testing.assert_array_equal(task.errors(np.array([[np.inf], [-np.inf]]), y), [1, 1])


@pytest.mark.parametrize(("target", "shortest"), [("sum", 2), ("mean", 10), ("hochreiter", 10)])
def test_shortest_length_works_and_a_shorter_one_is_refused(target, shortest):
    x, _ = Adding(shortest, target).batch(0, "train", 0, 200)
    np.testing.assert_array_equal(x[:, :, 1].sum(axis=1), 2)
    with pytest.raises(ArgumentError) as caught:
        Adding(shortest - 1, target)
    assert str(caught.value) == (
        f"seq_len: expected an integer of at least {shortest}, received {shortest - 1}"
    )


def test_an_unknown_target_is_told_the_targets():
    with pytest.raises(ArgumentError) as caught:
        Adding(10, "median")
    assert (
        str(caught.value)
        == "target: expected one of sum, mean, hochreiter (did you mean mean?), received 'median'"
    )
