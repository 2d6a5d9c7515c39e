"""The Elman cell over images."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnexp.nn.cells.spec import CellSpec, Weight
from rnnexp.nn.initializers import Initializer, PerBlock
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import ops, tf


@dataclasses.dataclass(frozen=True)
class ConvElman(CellSpec):
    """h_t = phi(W_xh * x_t + W_hh * h_{t-1} + b), * a convolution with K x K taps, zeros around the image.

    x_t is an image of F pixels, as near to a square as F allows (`image_shape`), h_t has C = H / F channels
    in every pixel: `units` is H. Both are flat, pixel by pixel, the channels innermost. After t steps a pixel
    has seen those within t (K - 1) / 2 of it.

    Each of the K^2 taps of W_hh, (C, C), is drawn like the recurrent kernel of an Elman cell, with the gain
    divided by K, so that the sum of the K^2 taps has the variance of one kernel.

    Args:
        use_bias: Whether there is a b.
        size: K, odd.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Liang and Hu 2015 (https://doi.org/10.1109/CVPR.2015.7298958).
    """

    target = "rnnexp.nn.cells.conv_elman.ConvElman"
    stackable = False  # a state has several channels, an input one

    size: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if checks.integer("size", self.size, minimum=1) % 2 == 0:
            raise ArgumentError("size", "an odd integer", self.size)

    def check_size(self, units: int, features: int) -> None:
        """Refuse units that are no multiple of the pixels."""
        if units % features:
            raise ArgumentError("units", f"a multiple of {features}, the pixels of the task", units)

    def per_block(self, recurrent: Initializer) -> Initializer:
        """Return the initialiser of the K^2 taps side by side, the centre's being drawn first."""
        smaller = type(recurrent).from_config(recurrent.get_config() | {"gain": recurrent.gain / self.size})
        return PerBlock(smaller, self.size**2, self.size**2 // 2)

    def weights(self, units: int, features: int, kernel: Any, recurrent: Any) -> dict[str, Weight]:
        """Return kernel (K^2, C), recurrent kernel (C, K^2 C), both tap by tap, and b (C,)."""
        self.check_size(units, features)
        taps, channels = self.size**2, units // features
        found = {
            "kernel": Weight((taps, channels), kernel),
            "recurrent_kernel": Weight((channels, taps * channels), recurrent),
        }
        return found | self._bias(channels)

    def step(self, cell: Any, x: "tf.Tensor", states: "Sequence[tf.Tensor]") -> "list[tf.Tensor]":
        """Return h_t."""
        return [cell.activation(self.pre_activation(cell, x, states[0]))]

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        size, channels = self.size, cell.kernel.shape[1]
        kernel = ops.reshape(cell.kernel, (size, size, 1, channels))
        taps = ops.reshape(cell.recurrent_kernel, (channels, size, size, channels))
        result = _convolved(x, kernel, image_of(cell))
        result = result + _convolved(before, ops.transpose(taps, (1, 2, 0, 3)), image_of(cell))
        return ops.reshape(result if cell.bias is None else result + cell.bias, ops.shape(before))

    def recurrent_matrix(self, cell: Any) -> np.ndarray:
        """Return the matrix (H, H) of the convolution W_hh * h; row i holds the weights from unit i."""
        height, width = image_of(cell)
        channels, reach = cell.kernel.shape[1], self.size // 2
        taps = cell.recurrent_kernel.numpy().reshape(channels, self.size, self.size, channels)
        matrix = np.zeros((height, width, channels, height, width, channels), taps.dtype)
        for row, column in np.ndindex(height, width):
            for down, right in np.ndindex(self.size, self.size):
                # A tap right of the centre reads the pixel right of the pixel that it writes to.
                to = row - down + reach, column - right + reach
                if 0 <= to[0] < height and 0 <= to[1] < width:
                    matrix[row, column, :, to[0], to[1]] = taps[:, down, right]
        return matrix.reshape(cell.units, cell.units)


def image_shape(pixels: int) -> tuple[int, int]:
    """Return height and width of an image of `pixels`, as near to a square as a whole number of them can be.

    >>> image_shape(64), image_shape(12), image_shape(7)
    ((8, 8), (3, 4), (1, 7))
    """
    height = max(side for side in range(1, int(pixels**0.5) + 1) if pixels % side == 0)
    return height, pixels // height


def image_of(cell: Any) -> tuple[int, int]:
    """Return height and width of the images that a built cell takes."""
    return image_shape(cell.units // cell.kernel.shape[1])


def _convolved(flat: "tf.Tensor", kernel: "tf.Tensor", image: tuple[int, int]) -> "tf.Tensor":
    """Return the convolution of images (..., pixels * channels), (N, height, width, C)."""
    images = ops.reshape(flat, (-1, *image, kernel.shape[2]))
    return ops.conv(images, kernel, padding="same", data_format="channels_last")
