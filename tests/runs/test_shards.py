import pytest

from rnnexp.runs.shards import automatic


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
    assert automatic(batch_size, units) == expected
