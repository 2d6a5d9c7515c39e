"""What a command prints: no part of its work, so that nothing that happens to it ends the work."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from rnnexp.runtime.secrets import clean


class Output(io.TextIOBase):
    """Text to a file descriptor; what cannot be written is lost.

    The reader has gone (`| head -1`), the terminal was closed, the disk is full: the work goes on. Where the
    terminal lacks a character it is replaced, and passwords are taken out.

    Args:
        number: The file descriptor, 1 or 2.
        encoding: That of the terminal.
    """

    def __init__(self, number: int = 1, encoding: str | None = None):
        super().__init__()
        self._number = number
        self._encoding = encoding or "utf-8"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the terminal."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of a character that the encoding lacks."""
        return "replace"

    @property
    def buffer(self) -> io.RawIOBase:
        """The same descriptor, for bytes."""
        return open(self._number, "wb", buffering=0, closefd=False)

    def write(self, text: str) -> int:
        """Write what can be written."""
        rest = memoryview(clean(text).encode(self._encoding, "replace"))
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._number, rest) :]
        return len(text)

    def writable(self) -> bool:
        """Return that it takes text."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._number)

    def fileno(self) -> int:
        """Return its file descriptor."""
        return self._number


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
