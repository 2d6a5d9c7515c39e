"""One process at a time, by a lock on a file that ends with the process."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold the file together with others who call this; wait while one process holds it alone.

    Raises:
        OSError: It cannot be made.
    """
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the file against every other process, and make it if it is not there.

    Raises:
        BlockingIOError: Another process holds it.
        OSError: It cannot be made.
    """
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
