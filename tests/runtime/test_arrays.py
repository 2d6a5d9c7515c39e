import numpy as np
import pytest

from rnnexp.runtime.arrays import filled, shaped
from rnnexp.runtime.checks import ArgumentError


def test_what_fits_comes_back_as_an_array():
    assert filled("a", [[1, 2], [3, 4]], "H, H").dtype == np.float64
    assert filled("a", [[[1], [2]]], "T, B, H", None).shape == (1, 2, 1)
    assert shaped("a", [[1, 2]], (1, 2), np.float32).dtype == np.float32


@pytest.mark.parametrize("values", [[1, 2], [[1, 2]], np.zeros((0, 0))])
def test_other_axes_are_refused(values):
    with pytest.raises(ArgumentError, match=r"^a: expected a non-empty array \(H, H\), received \(\d"):
        filled("a", values, "H, H")


def test_another_shape_is_refused():
    with pytest.raises(ArgumentError, match=r"^a: expected an array of shape \(2, 1\), received \(1, 2\)$"):
        shaped("a", [[1, 2]], (2, 1))
