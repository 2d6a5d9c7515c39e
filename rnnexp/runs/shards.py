"""How many parts of a batch are worth it."""

_SMALLEST_WORK = 64 * 64 * 32  # H^2 B from which one time step outlasts starting a second part
_SMALLEST_PART = 8  # samples: below, one core takes as long for half of them


def automatic(batch_size: int, units: int) -> int:
    """Return 2 where two cores are worth it for B = `batch_size` and H = `units`, else 1.

    It looks at the work and not at the machine, so that a run gives the same bytes alone, with all cores, and
    as a job of a sweep, with one.
    """
    large = units**2 * batch_size >= _SMALLEST_WORK
    return 2 if large and batch_size % 2 == 0 and batch_size >= 2 * _SMALLEST_PART else 1
