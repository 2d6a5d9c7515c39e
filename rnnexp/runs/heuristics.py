"""Rules of thumb: the time of a run, the parts of a batch, the segments of a scan."""

import math

# Fitted to training steps measured on a 2-core CPU (make bench): 1.4 ms at T, H, B = 200, 32, 32; 4.2 ms at
# 400, 100, 16; 22.9 ms at 200, 128, 128. The rule is within a factor of 1.5 of each.
_START = 4.0
_PER_STEP_OF_TIME = 5e-6
_PER_UNIT = 3e-9
_PER_WEIGHT = 2.8e-8 / 1000


def expected_seconds(seq_len: int, units: int, batch_size: int, train_steps: int, layers: int = 1) -> float:
    """Return 4 + train_steps L T (5 + 0.003 B H + 0.000028 B H^2) 1e-6 seconds, for plain cells on two cores.

    The first term is the time for compiling, measuring and drawing; the others are the loop over time of each
    of L layers, the elementwise operations and the product with W_hh.

    >>> round(expected_seconds(seq_len=200, units=64, batch_size=64, train_steps=5000))
    29
    """
    step = _PER_STEP_OF_TIME + _PER_UNIT * batch_size * units + _PER_WEIGHT * batch_size * units**2
    return _START + train_steps * layers * seq_len * step


_SMALLEST_WORK = 64 * 64 * 32  # H^2 B above which a time step takes longer than starting a second part
_SMALLEST_PART = 8  # samples of a part; fewer take one core as long


def parts_of_batch(batch_size: int, units: int) -> int:
    """Return 2 if two cores pay off for B = `batch_size` and H = `units`, else 1.

    The rule does not depend on the machine, so that a run gives the same bytes alone, with all cores, and as
    a job of a sweep, with one.
    """
    large = units**2 * batch_size >= _SMALLEST_WORK
    return 2 if large and batch_size % 2 == 0 and batch_size >= 2 * _SMALLEST_PART else 1


_LARGEST = 256 * 2**20  # bytes that the plain scan may hold
_ITEM = {"float32": 4, "float64": 8}  # bytes of a number


def segment_length(time_steps: int, batch_size: int, units: int, dtype: str, layers: int = 1) -> int | None:
    """Return K = ceil(sqrt(T)) where 3 L T B H numbers take more than 256 MiB, else None: the plain scan.

    The plain scan of a layer holds projections, states and adjoints of all steps, (T, B, H) each; segments
    hold about T / K + 4 K steps, least near K = sqrt(T). The rule does not depend on the machine, so that a
    run gives the same bytes wherever it fits into memory.

    >>> segment_length(time_steps=100_000, batch_size=4, units=64, dtype="float32")
    317
    """
    held = 3 * layers * time_steps * batch_size * units * _ITEM[dtype]
    return math.isqrt(time_steps - 1) + 1 if held > _LARGEST else None
