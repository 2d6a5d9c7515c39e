"""The Elman cell over images."""

import dataclasses
from typing import Any

import numpy as np

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.nn.initializers import Initializer, PerBlock
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import keras, tf


@dataclasses.dataclass(frozen=True)
class ConvElman(CellSpec):
    """h_t = phi(W_xh * x_t + W_hh * h_{t-1} + b), * a convolution: `rnnexp.nn.conv_elman_cell.ConvElmanCell`.

    x_t is an image of F pixels, as near to a square as F allows, h_t has C = H / F channels in every pixel:
    `units` is H. After t steps a pixel has seen those within t (K - 1) / 2 of it.

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

    def build(
        self, units: int, activation: str, kernel: Initializer, recurrent: Initializer, dtype: str
    ) -> "keras.layers.Layer":
        """Return a new `ConvElmanCell`."""
        from rnnexp.nn.conv_elman_cell import ConvElmanCell

        taps = self.size**2
        smaller = type(recurrent).from_config(recurrent.get_config() | {"gain": recurrent.gain / self.size})
        return ConvElmanCell(
            units,
            activations.by_name(activation),
            **dataclasses.asdict(self),
            kernel_initializer=kernel,
            recurrent_initializer=PerBlock(smaller, taps, taps // 2),
            dtype=dtype,
        )

    def pre_activation(self, cell: Any, x: "tf.Tensor", before: "tf.Tensor") -> "tf.Tensor":
        """Return a_t."""
        shape = tf.shape(before)
        flat = tf.reshape(x, (-1, x.shape[-1])), tf.reshape(before, (-1, cell.units))
        return tf.reshape(cell.pre_activation(*flat), shape)

    def recurrent_matrix(self, cell: Any) -> np.ndarray:
        """Return the matrix (H, H) of the convolution W_hh * h; row i holds the weights from unit i."""
        height, width = cell.image
        channels, reach = cell.units // (height * width), self.size // 2
        taps = cell.recurrent_kernel.numpy().reshape(channels, self.size, self.size, channels)
        matrix = np.zeros((height, width, channels, height, width, channels), taps.dtype)
        for row, column in np.ndindex(height, width):
            for down, right in np.ndindex(self.size, self.size):
                # A tap right of the centre reads the pixel right of the pixel that it writes to.
                to = row - down + reach, column - right + reach
                if 0 <= to[0] < height and 0 <= to[1] < width:
                    matrix[row, column, :, to[0], to[1]] = taps[:, down, right]
        return matrix.reshape(cell.units, cell.units)
