"""Locks between processes, by a lock on a file that the system releases when the process ends."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold a shared lock on the file; wait while another process holds an exclusive one.

    Raises:
        OSError: The file cannot be made.
    """
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def held(path: Path, refusal: Exception | None = None) -> Iterator[None]:
    """Hold an exclusive lock on the file, which is made if it does not exist.

    Raises:
        BlockingIOError: Another process holds a lock on it, and there is no `refusal`.
        Exception: `refusal`, in that case.
        OSError: The file cannot be made.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if refusal is None:
                raise
            raise refusal from None
        yield
