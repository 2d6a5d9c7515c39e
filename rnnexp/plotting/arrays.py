"""The arrays of a run as its folder holds them."""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rnnexp.runtime.checks import ArgumentError

FILE = "gradient_flow.npz"
"""The file of the arrays in the folder of a run."""


class MissingArray(ArgumentError):
    """A run has no array of that name: it is older than that array, or its cell has no such quantity."""

    def __init__(self, name: str):
        super().__init__(
            FILE, f"the array {name}, which older runs and some cells do not have", "none of that name"
        )
        self.array = name


class Arrays(dict[str, np.ndarray]):
    """The arrays of a run under their names; a single number or text is an array without axes.

    Raises:
        MissingArray: Of a name that the run does not have.
    """

    def __missing__(self, name: str) -> np.ndarray:
        raise MissingArray(name)

    @property
    def trained(self) -> bool:
        """Whether the run took a training step."""
        return self["steps"].size > 0

    @property
    def measured_later(self) -> bool:
        """Whether the network was measured after training steps too, and not only before the first."""
        return int(self["end_step"]) > 0


def read_arrays(path: Path, names: Iterable[str] | None = None, also: Iterable[str] = ()) -> Arrays:
    """Return the arrays of the file at `path`, those of `names` or all; and those of `also` that are there.

    Raises:
        ArgumentError: The file is not there, is damaged, or lacks one of `names`.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            wanted = stored.files if names is None else [*names, *(set(also) & set(stored.files))]
            return Arrays({name: stored[name] for name in wanted})
    except FileNotFoundError as error:
        raise ArgumentError(FILE, "the folder of a run, which holds this file", str(path.parent)) from error
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ArgumentError(FILE, f"the arrays of a run ({error})", str(path)) from error
    except (EOFError, ValueError) as error:  # numpy's words for a file of another kind advise to unpickle it
        raise ArgumentError(FILE, "the arrays of a run (this is no .npz file)", str(path)) from error
