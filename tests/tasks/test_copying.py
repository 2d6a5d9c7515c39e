import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.copying import Copying
from rnnexp.tasks.task import one_hot

SHAPES = [(100, 8, 10), (1, 2, 1), (5, 3, 4)]


@pytest.mark.parametrize(("seq_len", "symbols", "recall"), SHAPES)
def test_sizes(seq_len, symbols, recall):
    task = Copying(seq_len, symbols, recall)
    assert task.time_steps == seq_len + 2 * recall
    assert (task.input_size, task.output_size) == (symbols + 2, symbols + 1)


def test_the_defaults_are_those_of_the_literature():
    task = Copying(100)
    assert (task.time_steps, task.input_size, task.output_size) == (120, 10, 9)


@pytest.mark.parametrize(("seq_len", "symbols", "recall"), SHAPES)
def test_the_layout_is_symbols_blanks_delimiter_blanks(seq_len, symbols, recall):
    x, y = Copying(seq_len, symbols, recall).batch(0, "train", 0, 50)
    np.testing.assert_array_equal(x.sum(axis=2), 1)
    blank, delimiter = symbols, symbols + 1
    for shown, asked in zip(x.argmax(axis=2).tolist(), y.tolist(), strict=True):
        listed = shown[:recall]
        assert max(listed) < symbols
        assert shown == listed + [blank] * (seq_len - 1) + [delimiter] + [blank] * recall
        assert asked == [blank] * (seq_len + recall) + listed


def test_symbols_are_uniform_and_independent():
    symbols = Copying(1, symbols=4, recall=3).batch(0, "train", 0, 20_000).y[:, -3:]
    counts = np.bincount(symbols @ [16, 4, 1], minlength=64)
    chi_squared = np.sum((counts - 20_000 / 64) ** 2 / (20_000 / 64))
    assert chi_squared < 103.4  # 99.9 % of chi-squared with 63 degrees of freedom


@pytest.mark.parametrize(
    ("delay", "floor"), [(100, 0.17329), (200, 0.09452), (500, 0.03999), (1000, 0.02039)]
)
def test_floor_loss_is_the_published_baseline(delay, floor):
    task = Copying(delay)
    assert task.floor_loss == pytest.approx(10 * math.log(8) / (delay + 20), rel=1e-15)
    assert task.floor_loss == pytest.approx(floor, abs=5e-6)
    assert task.floor_error == pytest.approx(1 - 8.0**-10, abs=1e-16)


def test_floors_are_what_a_predictor_without_memory_scores():
    task = Copying(6, symbols=3, recall=2)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)])
    # The best predictor that knows the step only: the shares of the classes at that step.
    shares = np.stack([(y == k).mean(axis=0) for k in range(task.output_size)], axis=1)
    nats = -np.log(np.take_along_axis(shares, y.T, axis=1))
    # Fitted to the n sequences it is scored on, it undercuts the floor by (symbols - 1) / 2n on average.
    assert nats.mean() == pytest.approx(task.floor_loss, abs=4 * (3 - 1) / len(y))
    assert nats.mean() <= task.floor_loss
    errors = task.errors(np.broadcast_to(shares, (len(y), *shares.shape)), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=4 * errors.std() / math.sqrt(len(y)))


def test_one_wrong_recalled_symbol_fails_the_sequence():
    task = Copying(5, symbols=3, recall=4)
    _, y = task.batch(0, "validation", 0, 10)
    for step in range(task.time_steps):
        told = y.copy()
        told[3, step] = (told[3, step] + 1) % task.output_size
        errors = task.errors(one_hot(told, task.output_size), y)
        assert errors.tolist() == [float(step >= task.time_steps - 4 and row == 3) for row in range(10)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seq_len": 0}, "seq_len: expected an integer of at least 1, received 0"),
        ({"seq_len": 5, "symbols": 1}, "symbols: expected an integer of at least 2, received 1"),
        ({"seq_len": 5, "recall": 0}, "recall: expected an integer of at least 1, received 0"),
    ],
)
def test_bad_arguments_are_named(arguments, told):
    with pytest.raises(ArgumentError) as caught:
        Copying(**arguments)
    assert str(caught.value) == told
