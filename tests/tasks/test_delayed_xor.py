import itertools
import math

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.delayed_xor import DelayedXor


@pytest.mark.parametrize(("seq_len", "delay"), [(20, 6), (5, 2), (11, 10)])
def test_the_target_compares_two_bits_of_the_past(seq_len, delay):
    x, y = DelayedXor(seq_len, delay).batch(0, "train", 0, 50)
    for sequence, answers in zip(x[:, :, 0], y, strict=True):
        bits = [0] * delay + [int(value == 1) for value in sequence]  # b_t stands at t + delay - 1
        expected = [bits[t] ^ bits[t + delay // 2] for t in range(seq_len)]
        assert answers.tolist() == expected


def test_floors_are_those_of_all_sequences_enumerated():
    """Over all 2^9 sequences: the share of ones of every step, and the entropy of a coin with that share."""
    task = DelayedXor(9, delay=4)
    every = np.array(list(itertools.product([0, 1], repeat=9)))
    padded = np.c_[np.zeros((len(every), 4), int), every]
    y = padded[:, :9] ^ padded[:, 2:11]
    ones = y.mean(axis=0)
    entropies = [-sum(p * math.log(p) for p in (one, 1 - one) if p > 0) for one in ones]
    assert task.floor_loss == pytest.approx(np.mean(entropies), abs=1e-12)
    assert task.floor_error == pytest.approx(np.minimum(ones, 1 - ones).mean(), abs=1e-12)


def test_floors_are_what_knowing_the_step_alone_scores():
    task = DelayedXor(20, delay=8)
    y = np.concatenate([batch.y for batch in task.validation(0, 2000)])
    errors = task.errors(np.tile([1.0, 0.0], (*y.shape, 1)), y)
    assert errors.mean() == pytest.approx(task.floor_error, abs=4 * errors.std() / math.sqrt(len(y)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seq_len": 10}, "seq_len: expected more than 10, the delay, received 10"),
        ({"seq_len": 20, "delay": 5}, "delay: expected an even number of steps, received 5"),
        ({"seq_len": 20, "delay": 0}, "delay: expected an integer of at least 2, received 0"),
    ],
)
def test_bad_arguments_are_named(arguments, said):
    with pytest.raises(ArgumentError) as caught:
        DelayedXor(**arguments)
    assert str(caught.value) == said
