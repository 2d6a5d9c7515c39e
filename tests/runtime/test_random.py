import itertools

import numpy as np
import pytest

from rnnexp.runtime.random import generator

MASK = 2**64 - 1
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def philox(counter, key):
    """Philox 4x64 with ten rounds, as printed in Salmon et al. 2011, in Python's integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(MULTIPLIERS[0] * c0, 2**64)
        high1, low1 = divmod(MULTIPLIERS[1] * c2, 2**64)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(
    ("seed", "stream", "number", "index"),
    [(0, "train", 0, 0), (7, "probe", 2, 123456), (2**62, "weights", 3, 1)],
)
def test_numbers_are_philox_keyed_by_seed_and_stream(seed, stream, number, index):
    drawn = generator(seed, stream, index).bit_generator.random_raw(8).tolist()
    # NumPy steps the counter before it draws, so the first block is number 1.
    blocks = [philox((block, 0, index, 0), (seed, number)) for block in (1, 2)]
    assert drawn == list(itertools.chain(*blocks))


def test_same_coordinates_give_the_same_numbers():
    np.testing.assert_array_equal(generator(3, "train", 5).random(100), generator(3, "train", 5).random(100))


def test_index_is_0_unless_told():
    assert generator(3, "weights").random() == generator(3, "weights", 0).random()


def test_no_two_of_seed_stream_and_index_share_a_number():
    streams = ("train", "validation", "probe", "weights")
    items = itertools.product((0, 1, 2, 2**32, 2**62), streams, (0, 1, 2, 3, 10**9))
    numbers = np.concatenate([generator(*item).bit_generator.random_raw(50) for item in items])
    assert len(np.unique(numbers)) == 5 * 4 * 5 * 50


def test_unknown_stream_is_named():
    with pytest.raises(KeyError, match="test"):
        generator(0, "test")
