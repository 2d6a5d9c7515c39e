"""The Elman cell whose products are convolutions over an image."""

from typing import Any

import keras
from keras import ops

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError


def image_shape(pixels: int) -> tuple[int, int]:
    """Return height and width of an image of `pixels`, as near to a square as a whole number of them can be.

    >>> image_shape(64), image_shape(12), image_shape(7)
    ((8, 8), (3, 4), (1, 7))
    """
    height = max(side for side in range(1, int(pixels**0.5) + 1) if pixels % side == 0)
    return height, pixels // height


@keras.saving.register_keras_serializable("rnnexp")
class ConvElmanCell(keras.layers.Layer):
    """h_t = phi(W_xh * x_t + W_hh * h_{t-1} + b), * the convolution with K x K taps, zeros around the image.

    An image of F pixels has one channel and the shape `image_shape(F)`; the state has C = H / F channels in
    every pixel. Both are flat arrays, (B, F) and (B, H), pixel by pixel, with the channels innermost.

    Weights: `kernel` (K^2, C), tap by tap, `recurrent_kernel` (C, K^2 C), the K^2 taps side by side with the
    centre's at (K^2 - 1) / 2, `bias` (C,), 0 at first, and the same in every pixel.

    Args:
        units: H, a multiple of F.
        activation: phi, a Keras activation by name or a callable.
        size: K, odd.
        use_bias: Whether there is a b.
        kernel_initializer: For the kernel.
        recurrent_initializer: For the recurrent kernel as a whole.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: x_t, (B, F).
        states: [h_{t-1}], (B, H).

    Returns:
        h_t, and [h_t].

    Raises:
        ArgumentError: `units` or `size` is outside its domain, or `units` is no multiple of the pixels.
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        size: int = 3,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        self.units = checks.integer("units", units, minimum=1)
        self.size = odd("size", size)
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.state_size = self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Create the weights for images of shape (B, F)."""
        pixels, taps = input_shape[-1], self.size**2
        if self.units % pixels:
            raise ArgumentError("units", f"a multiple of {pixels}, the pixels", self.units)
        channels = self.units // pixels
        self.image = image_shape(pixels)
        self.kernel = self.add_weight((taps, channels), name="kernel", initializer=self.kernel_initializer)
        self.recurrent_kernel = self.add_weight(
            (channels, taps * channels), name="recurrent_kernel", initializer=self.recurrent_initializer
        )
        self.bias = self.add_weight((channels,), name="bias", initializer="zeros") if self.use_bias else None

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        """Return h_t and the new states."""
        output = self.activation(self.pre_activation(inputs, states[0]))
        return output, [output]

    def pre_activation(self, inputs: Any, state: Any) -> Any:
        """Return a_t (B, H) of x_t (B, F) and h_{t-1} (B, H)."""
        size, channels = self.size, self.kernel.shape[1]
        kernel = ops.reshape(self.kernel, (size, size, 1, channels))
        taps = ops.reshape(self.recurrent_kernel, (channels, size, size, channels))
        result = self._convolved(inputs, kernel, 1)
        result = result + self._convolved(state, ops.transpose(taps, (1, 2, 0, 3)), channels)
        if self.bias is not None:
            result = result + self.bias
        return ops.reshape(result, (-1, self.units))

    def _convolved(self, flat: Any, kernel: Any, channels: int) -> Any:
        images = ops.reshape(flat, (-1, *self.image, channels))
        return ops.conv(images, kernel, padding="same", data_format="channels_last")

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return [h_0 = 0], (B, H)."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, serialised."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "size": self.size,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
        }


def odd(name: str, value: object) -> int:
    """Return `value` if it is an odd integer of at least 1, else raise `ArgumentError`."""
    number = checks.integer(name, value, minimum=1)
    if number % 2 == 0:
        raise ArgumentError(name, "an odd integer", value)
    return number
