"""Arrays in a file of NumPy's: the one place of the package that reads one, and no pickle is ever loaded."""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_DAMAGED = (
    *(OSError, EOFError, MemoryError, RuntimeError, TypeError, ValueError),
    *(KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy and zipfile raise over a file that is cut short or overwritten, or is none of theirs."""


class DamagedFile(ValueError):
    """A file holds no arrays, not all of them, or objects in their place."""


def read(path: Path, names: Iterable[str] | None = None, also: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """Return the arrays of a `.npz` file, their checksums compared.

    Args:
        path: The file.
        names: Those that are wanted; None: all.
        also: Those that are wanted if they are there.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFile: It cannot be read; says why, in a few words.
    """
    try:
        # NumPy leaves a file open that it opened itself and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            wanted = stored.files if names is None else [*names, *(set(also) & set(stored.files))]
            return {name: stored[name] for name in wanted}
    except FileNotFoundError:
        raise
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFile(str(error)) from error
    except _DAMAGED as error:  # NumPy's words for a file of another kind advise to unpickle it
        raise DamagedFile("this is no .npz file of numbers") from error
