import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.task import one_hot
from rnnexp.tasks.temporal_order import TemporalOrder

WINDOWS = {
    (2, 100): [range(10, 20), range(50, 60)],
    (3, 100): [range(10, 20), range(33, 43), range(66, 76)],
    (2, 10): [range(1, 2), range(5, 6)],
    (3, 10): [range(1, 2), range(3, 4), range(6, 7)],
    (2, 37): [range(3, 6), range(18, 21)],
    (3, 37): [range(3, 6), range(12, 15), range(24, 27)],
}


@pytest.mark.parametrize(("signals", "seq_len"), WINDOWS)
def test_signals_stand_in_their_windows_and_tell_the_class(signals, seq_len):
    x, y = TemporalOrder(seq_len, signals).batch(0, "train", 0, 1000)
    np.testing.assert_array_equal(x.sum(axis=2), 1)
    seen: list[set[int]] = [set() for _ in range(signals)]
    for symbols, told in zip(x.argmax(axis=2), y, strict=True):
        places = np.flatnonzero(symbols < 2)
        assert len(places) == signals
        for window, place in zip(seen, places, strict=True):
            window.add(int(place))
        assert told == int("".join(str(symbols[place]) for place in places), base=2)
    assert seen == [set(window) for window in WINDOWS[signals, seq_len]]


@pytest.mark.parametrize("signals", [2, 3])
def test_places_are_uniform_over_the_window(signals):
    symbols = TemporalOrder(100, signals).batch(0, "train", 0, 10_000).x.argmax(axis=2)
    for window in WINDOWS[signals, 100]:
        counts = (symbols[:, list(window)] < 2).sum(axis=0)
        assert counts.sum() == 10_000
        assert np.sum((counts - 1000) ** 2 / 1000) < 27.9  # 99.9 % of chi-squared with 9 degrees of freedom


def test_noise_is_uniform_over_the_four_other_symbols():
    symbols = TemporalOrder(100).batch(0, "train", 0, 1000).x.argmax(axis=2)
    counts = np.bincount(symbols.ravel(), minlength=6)[2:]
    expected = 1000 * 98 / 4
    assert counts.sum() == 1000 * 98
    assert np.sum((counts - expected) ** 2 / expected) < 16.3  # 99.9 % with 3 degrees of freedom


@pytest.mark.parametrize(("signals", "loss", "error"), [(2, math.log(4), 0.75), (3, math.log(8), 0.875)])
def test_floors_are_those_of_equal_classes(signals, loss, error):
    task = TemporalOrder(50, signals)
    assert task.output_size == 2**signals
    assert task.floor_loss == pytest.approx(loss, abs=1e-15)
    assert task.floor_error == error


@pytest.mark.parametrize("signals", [2, 3])
def test_floors_are_what_the_best_constant_scores(signals):
    task = TemporalOrder(10, signals)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)])
    shares = np.bincount(y) / len(y)
    fitted = -np.log(shares)[y].mean()
    # The entropy of n samples is below that of their source by (classes - 1) / 2n on average.
    assert task.floor_loss - 4 * (2**signals - 1) / len(y) <= fitted <= task.floor_loss
    for guess in range(2**signals):
        errors = task.errors(np.tile(one_hot(np.array(guess), 2**signals), (len(y), 1)), y)
        assert errors.mean() == pytest.approx(task.floor_error, abs=4 * errors.std() / math.sqrt(len(y)))


def test_who_knows_one_of_two_signals_is_wrong_half_the_time():
    task = TemporalOrder(20)
    x, y = task.batch(0, "validation", 0, 10_000)
    first = x[:, 2:4, 1].any(axis=1).astype(int)
    errors = task.errors(one_hot(2 * first, 4), y)
    assert errors.mean() == pytest.approx(0.5, abs=4 * 0.5 / 100)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seq_len": 9}, "seq_len: expected an integer of at least 10, received 9"),
        ({"seq_len": 50, "signals": 4}, "signals: expected 2 or 3, received 4"),
        ({"seq_len": 50, "signals": "2"}, "signals: expected 2 or 3, received '2'"),
        ({"seq_len": 50, "signals": 2.0}, "signals: expected 2 or 3, received 2.0"),
        ({"seq_len": 50, "signals": [2]}, "signals: expected 2 or 3, received [2]"),
    ],
)
def test_bad_arguments_are_named(arguments, told):
    with pytest.raises(ArgumentError) as caught:
        TemporalOrder(**arguments)
    assert str(caught.value) == told
