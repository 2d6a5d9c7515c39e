import itertools
import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.parity import Parity


def test_the_target_is_the_number_of_ones_so_far_modulo_two():
    x, y = Parity(30).batch(0, "train", 0, 50)
    for sequence, answers in zip(x[:, :, 0], y, strict=True):
        odd = 0
        for value, answer in zip(sequence, answers, strict=True):
            odd ^= int(value == 1)
            assert value in (-1, 1) and answer == odd


def test_all_but_one_bit_leave_a_fair_coin():
    """The floor by enumeration: over all sequences of 8 bits, no 7 of them change the share of odd sums."""
    every = np.array(list(itertools.product([0, 1], repeat=8)))
    for missing in range(8):
        seen = np.delete(every, missing, axis=1) @ 2 ** np.arange(7)
        odd = np.bincount(seen, weights=every.sum(axis=1) % 2) / np.bincount(seen)
        np.testing.assert_array_equal(odd, 0.5)
    entropy = -2 * 0.5 * math.log(0.5)
    assert Parity(8).floor_loss == pytest.approx(entropy, abs=1e-15)


def test_every_step_is_a_fair_coin():
    y = np.concatenate([batch.y for batch in Parity(20).validation(0, 2000)])
    assert np.abs(y.mean(axis=0) - Parity(20).floor_error).max() < 4.5 * 0.5 / math.sqrt(len(y))


def test_the_error_is_the_share_of_wrong_steps():
    task = Parity(4)
    y = np.array([[0, 1, 1, 0]], np.int32)
    assert task.errors(np.tile([1.0, 0.0], (1, 4, 1)), y) == 0.5


def test_a_bad_length_is_named():
    with pytest.raises(ArgumentError, match="^seq_len: expected an integer of at least 1, received 0$"):
        Parity(0)
