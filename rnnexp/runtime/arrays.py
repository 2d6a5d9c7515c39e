"""Checks of the shapes of arrays that are arguments."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rnnexp.runtime.checks import ArgumentError


def filled(name: str, values: Any, axes: str, dtype: npt.DTypeLike | None = np.float64) -> np.ndarray:
    """Return `values` as an array if it has these axes and at least one entry.

    Args:
        name: The argument's name.
        values: The argument.
        axes: A letter for each axis, such as "T, B, H, H"; axes of one letter have one length.
        dtype: Of the array; None: that of the values.

    Raises:
        ArgumentError: The axes are others, or one of them has no entry.
    """
    array = np.asarray(values, dtype)
    letters = axes.split(", ")
    lengths = set(zip(letters, array.shape, strict=False))
    if array.ndim != len(letters) or array.size == 0 or len(lengths) > len(set(letters)):
        raise ArgumentError(name, f"a non-empty array ({axes})", array.shape)
    return array


def shaped(
    name: str, values: Any, shape: tuple[int, ...], dtype: npt.DTypeLike | None = np.float64
) -> np.ndarray:
    """Return `values` as an array if it has this shape, else raise `ArgumentError`."""
    array = np.asarray(values, dtype)
    if array.shape != shape:
        raise ArgumentError(name, f"an array of shape {shape}", array.shape)
    return array
