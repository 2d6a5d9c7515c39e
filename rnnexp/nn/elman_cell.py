"""One step of the Elman recurrence."""

import keras
from keras import ops

from rnnexp.nn import initializers
from rnnexp.nn.gate_biases import GateBiases
from rnnexp.runtime import checks

for _initializer in (*initializers.CATALOGUE.values(), initializers.PerBlock, GateBiases):
    keras.saving.register_keras_serializable("rnnexp")(_initializer)


@keras.saving.register_keras_serializable("rnnexp")
class ElmanCell(keras.layers.Layer):
    """h_t = phi(W_xh^T x_t + W_hh^T h_{t-1} + b).

    Weights have Keras' names: `kernel` W_xh (F, H), `recurrent_kernel` W_hh (H, H), `bias` b (H,).

    Args:
        units: H.
        activation: phi, a Keras activation by name or a callable. Elementwise ones run on the fast scan.
        use_bias: Whether there is a b.
        kernel_initializer: For W_xh.
        recurrent_initializer: For W_hh. Keras' default is orthogonal, so name it in every experiment.
        bias_initializer: For b.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: x_t, (B, F).
        states: h_{t-1}, (B, H), or a list that holds it.

    Returns:
        h_t (B, H), and the new states in the form in which the old ones came.

    Raises:
        ArgumentError: `units` is not an integer of at least 1.

    Examples:
        >>> import keras, numpy as np
        >>> layer = keras.layers.RNN(ElmanCell(3, activation="relu"))
        >>> layer(np.ones((2, 5, 4), "float32")).shape
        TensorShape([2, 3])

    Source: Elman 1990 (https://doi.org/10.1207/s15516709cog1402_1).
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        **kwargs,
    ):
        self.units = checks.integer("units", units, minimum=1)
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.use_bias = checks.boolean("use_bias", use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.state_size = self.units
        self.output_size = self.units

    def build(self, input_shape):
        """Create the weights for inputs of shape (B, F)."""
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, name="kernel", initializer=self.kernel_initializer)
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), name="recurrent_kernel", initializer=self.recurrent_initializer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.units,), name="bias", initializer=self.bias_initializer)

    def call(self, inputs, states):
        """Return h_t and the new states."""
        state = states[0] if isinstance(states, list | tuple) else states
        pre_activation = ops.matmul(inputs, self.kernel) + ops.matmul(state, self.recurrent_kernel)
        if self.bias is not None:
            pre_activation = pre_activation + self.bias
        state = self.activation(pre_activation)
        return state, [state] if isinstance(states, list | tuple) else state

    def get_initial_state(self, batch_size=None):
        """Return h_0 = 0, (B, H), in a list as Keras wants it."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def get_config(self):
        """Return the constructor's arguments, serialised."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
