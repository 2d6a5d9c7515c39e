"""A recurrence and its adjoint as plain loops, to stand in for a GPU's kernel."""

import tensorflow as tf

from rnnexp.cudnn import Kernel

PHI = {"tanh": tf.tanh, "relu": lambda a: tf.maximum(a, 0)}
SLOPES = {"tanh": lambda a: 1 / tf.cosh(a) ** 2, "relu": lambda a: tf.cast(a > 0, a.dtype)}


def forward(projected, recurrent_kernel, initial_state, name):
    """States, and the pre-activations that the slopes need."""
    pre_activations, states = [], [initial_state]
    for p in tf.unstack(projected):
        pre_activations.append(p + states[-1] @ recurrent_kernel)
        states.append(PHI[name](pre_activations[-1]))
    return tf.stack(states[1:]), (name, recurrent_kernel, pre_activations)


def backward(kept, direct, from_future):
    """The deltas, from the last step to the first."""
    name, recurrent_kernel, pre_activations = kept
    deltas: list[tf.Tensor] = []
    for a, from_readout in zip(reversed(pre_activations), reversed(tf.unstack(direct)), strict=True):
        deltas.insert(0, SLOPES[name](a) * (from_readout + from_future))
        from_future = deltas[0] @ tf.transpose(recurrent_kernel)
    return tf.stack(deltas)


LOOP = Kernel(forward, backward)
