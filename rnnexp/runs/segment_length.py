"""How many steps a scan that computes its states again takes at a time."""

import math

_LARGEST = 256 * 2**20  # bytes that the plain scan may hold
_ITEM = {"float32": 4, "float64": 8}  # bytes of a number


def automatic(steps: int, batch_size: int, units: int, dtype: str) -> int | None:
    """Return K = ceil(sqrt(T)) where 3 T B H numbers take more than 256 MiB, else None: the plain scan.

    The plain scan holds projection, states and adjoints of all steps, (T, B, H) each; segments hold about
    T / K + 4 K steps, least near sqrt(T). The rule looks at the shape and not at the machine, so that a run
    gives the same bytes wherever there is memory for it.

    >>> automatic(steps=100_000, batch_size=4, units=64, dtype="float32")
    317
    """
    held = 3 * steps * batch_size * units * _ITEM[dtype]
    return math.isqrt(steps - 1) + 1 if held > _LARGEST else None
