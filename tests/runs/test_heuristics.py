"""Rules of thumb."""

import pytest

from rnnexp.runs import heuristics
from rnnexp.runs.heuristics import parts_of_batch, segment_length

# (T, H, B), seconds a training step: medians of `make bench` on two cores, written down in the README.
MEASURED = [((200, 32, 32), 1.4e-3), ((400, 100, 16), 4.2e-3), ((200, 128, 128), 22.9e-3)]


@pytest.mark.parametrize(("shape", "seconds"), MEASURED)
def test_rule_of_thumb_is_within_1_5_times_the_measured_time(shape, seconds):
    seq_len, units, batch_size = shape
    start = heuristics.expected_seconds(seq_len, units, batch_size, train_steps=0)
    step = (heuristics.expected_seconds(seq_len, units, batch_size, train_steps=1000) - start) / 1000
    assert 1 / 1.5 < step / seconds < 1.5


def test_longer_wider_and_more_cost_more():
    base = heuristics.expected_seconds(100, 64, 64, 1000)
    assert heuristics.expected_seconds(200, 64, 64, 1000) > base
    assert heuristics.expected_seconds(100, 128, 64, 1000) > base
    assert heuristics.expected_seconds(100, 64, 128, 1000) > base
    assert heuristics.expected_seconds(100, 64, 64, 2000) - 4 == pytest.approx(2 * (base - 4))
    assert heuristics.expected_seconds(100, 64, 64, 1000, layers=2) - 4 == pytest.approx(2 * (base - 4))


@pytest.mark.parametrize(
    ("batch_size", "units", "expected"),
    [
        (128, 128, 2),
        (64, 64, 2),
        (32, 64, 2),
        (16, 100, 2),
        (32, 32, 1),  # little work
        (14, 1000, 1),  # parts of seven samples
        (33, 1000, 1),  # parts that differ
        (1, 1000, 1),
    ],
)
def test_two_parts_where_they_are_equal_and_large(batch_size, units, expected):
    assert parts_of_batch(batch_size, units) == expected


@pytest.mark.parametrize(
    ("steps", "batch_size", "units", "dtype", "expected"),
    [
        (100, 64, 64, "float32", None),
        (10_000, 8, 64, "float32", None),  # 59 MiB
        (100_000, 4, 64, "float32", 317),  # 293 MiB; 316^2 < T <= 317^2
        (2**16, 64, 64, "float32", 2**8),
        (2**16 + 1, 64, 64, "float32", 2**8 + 1),
        (43_690, 8, 64, "float32", None),  # the last of at most 256 MiB
        (43_691, 8, 64, "float32", 210),
        (43_690, 8, 64, "float64", 210),
        (43_690, 9, 64, "float32", 210),
        (43_690, 8, 65, "float32", 210),
    ],
)
def test_segments_where_the_buffers_are_large(steps, batch_size, units, dtype, expected):
    assert segment_length(steps, batch_size, units, dtype) == expected
