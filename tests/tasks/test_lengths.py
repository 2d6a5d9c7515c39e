import collections

import numpy as np
import pytest

from rnnexp.tasks import Adding, Copying, Lengths, Parity, TemporalOrder

LENGTHS = Lengths(20, 24, TemporalOrder)


@pytest.mark.parametrize("at", [Adding, Copying, Parity, TemporalOrder])
def test_a_batch_is_that_of_the_task_with_zeros_in_front(at):
    lengths = Lengths(20, 24, at)
    for index in range(6):
        task = at(lengths.drawn(3, "train", index))
        expected, found = task.batch(3, "train", index, 5), lengths.batch(3, "train", index, 5)
        assert found.x.shape == (5, at(24).time_steps, task.input_size)
        assert found.first == at(24).time_steps - task.time_steps
        np.testing.assert_array_equal(found.x[:, found.first :], expected.x)
        assert not found.x[:, : found.first].any()
        last = found.y[:, found.first :] if task.scores_every_step else found.y
        np.testing.assert_array_equal(last, expected.y)


def test_lengths_are_uniform_and_hold_both_ends():
    counts = collections.Counter(LENGTHS.drawn(0, "train", index) for index in range(5000))
    assert sorted(counts) == [20, 21, 22, 23, 24]
    # 5 standard deviations of a binomial share of 1/5.
    assert all(abs(count - 1000) < 5 * (5000 * 0.2 * 0.8) ** 0.5 for count in counts.values())


def test_the_same_seed_gives_the_same_bytes():
    backwards = [LENGTHS.batch(1, "train", index, 2) for index in (3, 2, 1, 0)][::-1]
    for index, batch in enumerate(backwards):
        again = LENGTHS.batch(1, "train", index, 2)
        assert (batch.x.tobytes(), batch.y.tobytes(), batch.first) == (
            again.x.tobytes(),
            again.y.tobytes(),
            again.first,
        )
    assert [LENGTHS.drawn(1, "train", i) for i in range(9)] != [
        LENGTHS.drawn(2, "train", i) for i in range(9)
    ]
