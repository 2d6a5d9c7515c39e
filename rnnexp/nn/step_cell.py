"""A Keras cell made of the step of a spec."""

import keras
from keras import ops

from rnnexp.runtime import checks


@keras.saving.register_keras_serializable("rnnexp")
class StepCell(keras.layers.Layer):
    """S_t = spec.step(x_t, S_{t-1}), S being one or several states.

    The weights are those that the spec names. Usually they have Keras' names, n blocks side by side: `kernel`
    (F, nH), `recurrent_kernel` (H, nH) and, where the spec wants one, `bias` (nH,), 0 at first.

    Args:
        units: H.
        activation: phi, a Keras activation by name or a callable.
        spec: The `rnnexp.nn.cells.spec.CellSpec`, every state of which has the width H.
        kernel_initializer: For the kernel.
        recurrent_initializer: For the recurrent kernel as a whole.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: x_t, (B, F).
        states: The states before the step, a list of (B, H).

    Returns:
        The first state, and all of them in a list.

    Raises:
        ArgumentError: `units` is not an integer of at least 1.
    """

    def __init__(self, units, activation, spec, kernel_initializer, recurrent_initializer, **kwargs):
        self.units = checks.integer("units", units, minimum=1)
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.spec = spec
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.state_names = list(spec.states)
        self.state_size = [self.units] * len(spec.states)
        self.output_size = self.units

    def build(self, input_shape):
        """Create the weights for inputs of shape (B, F)."""
        self.bias = None
        wanted = self.spec.weights(
            self.units, input_shape[-1], self.kernel_initializer, self.recurrent_initializer
        )
        for name, (shape, initializer) in wanted.items():
            setattr(self, name, self.add_weight(shape=shape, name=name, initializer=initializer))

    def call(self, inputs, states):
        """Return h_t and the new states."""
        new_states = self.spec.step(self, inputs, states)
        return new_states[0], new_states

    def get_initial_state(self, batch_size=None):
        """Return S_0 = 0, a list of (B, H)."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self):
        """Return the constructor's arguments, serialised."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "spec": keras.saving.serialize_keras_object(self.spec),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
        }

    @classmethod
    def from_config(cls, config):
        """Return the cell that `get_config` described."""
        return cls(**{**config, "spec": keras.saving.deserialize_keras_object(config["spec"])})
