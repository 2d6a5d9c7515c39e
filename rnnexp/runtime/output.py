"""What a command prints: no part of its work, so that nothing that happens to it ends the work."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from rnnexp.runtime.secrets import clean


class _Descriptor(io.FileIO):
    """A file descriptor; what it does not take is lost."""

    def write(self, content: Any, /) -> int:
        rest = memoryview(content)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self.fileno(), rest) :]
        return len(content)


class Output(io.TextIOWrapper):
    """Text to a file descriptor, at once; what cannot be written is lost.

    The reader has gone (`| head -1`), the terminal was closed, the disk is full: the work goes on. Where the
    terminal lacks a character it is replaced, and passwords are taken out.

    Args:
        number: The file descriptor, 1 or 2.
        encoding: That of the terminal.
    """

    def __init__(self, number: int = 1, encoding: str | None = None):
        raw: Any = _Descriptor(number, "w", closefd=False)
        super().__init__(raw, encoding or "utf-8", "replace", write_through=True)

    def write(self, text: str, /) -> int:
        """Write what can be written."""
        super().write(clean(text))
        return len(text)


@contextlib.contextmanager
def errors_in(file: BinaryIO) -> Iterator[None]:
    """Send the standard error to a file, also that of compiled code and of processes started meanwhile."""
    sys.stderr.flush()
    before = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)


def protect() -> None:
    """Make standard output and standard error such an `Output` for the rest of this process."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would take its place
            os.open(os.devnull, os.O_RDWR)
    encodings = [getattr(stream, "encoding", None) for stream in (sys.stdout, sys.stderr)]
    sys.stdout, sys.stderr = Output(1, encodings[0]), Output(2, encodings[1])
