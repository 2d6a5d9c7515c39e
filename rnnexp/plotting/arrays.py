"""Reads the arrays of a run from its folder."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rnnexp.runtime import npz_file
from rnnexp.runtime.checks import ArgumentError

FILE = "gradient_flow.npz"
"""The file of the arrays in the folder of a run."""


class MissingArray(ArgumentError):
    """A run has no array of that name: an older version recorded it, or its cell has no such quantity."""

    def __init__(self, name: str):
        super().__init__(
            FILE, f"the array {name}, which older runs and some cells do not have", "none of that name"
        )
        self.array = name


class Arrays(dict[str, np.ndarray]):
    """The arrays of a run under their names; a single number or text is an array without axes.

    Raises:
        MissingArray: The run has no array of that name.
    """

    def __missing__(self, name: str) -> np.ndarray:
        raise MissingArray(name)

    @property
    def trained(self) -> bool:
        """Whether the run took a training step."""
        return self["steps"].size > 0

    @property
    def upper_layers(self) -> list[int]:
        """The numbers of the layers above the lowest, from 2 on; arrays without a number are its."""
        return list(itertools.takewhile(lambda n: f"start_layer_{n}_log_norm" in self, itertools.count(2)))

    @property
    def measured_later(self) -> bool:
        """Whether there is a measurement after training, and not only the one before."""
        return int(self["end_step"]) > 0


def read_arrays(path: Path, names: Iterable[str] | None = None, also: Iterable[str] = ()) -> Arrays:
    """Return the arrays of the file at `path`, those of `names` or all; and those of `also` that are there.

    Raises:
        ArgumentError: The file is not there, is damaged, or lacks one of `names`.
    """
    try:
        return Arrays(npz_file.read(path, names, also))
    except FileNotFoundError as error:
        raise ArgumentError(FILE, "the folder of a run, which holds this file", str(path.parent)) from error
    except npz_file.DamagedFile as error:
        raise ArgumentError(FILE, f"the arrays of a run ({error})", str(path)) from error
