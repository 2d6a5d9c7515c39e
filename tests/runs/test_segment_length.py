import pytest

from rnnexp.runs.segment_length import automatic


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
    assert automatic(steps, batch_size, units, dtype) == expected
