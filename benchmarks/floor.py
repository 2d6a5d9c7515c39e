"""The floor: the matrix products that no training step can do without, and nothing else.

2 T products (B, H) x (H, H), in two loops as the recurrence orders them, and one (H, T B) x (T B, H)
"""

import numpy as np
import tensorflow as tf

from benchmarks.work import Shape, Train


def floor(shape: Shape) -> Train:
    """Return a function that does the products of n training steps, under XLA."""
    steps, units, batch_size = shape
    normal = np.random.default_rng(0).standard_normal
    kernel = tf.constant(np.linalg.qr(normal((units, units)))[0], tf.float32)
    state = tf.constant(normal((batch_size, units)), tf.float32)
    states = tf.constant(normal((steps * batch_size, units)), tf.float32)
    adjoints = tf.constant(normal((steps * batch_size, units)), tf.float32)

    def loop(state, matrix):
        def multiply(t, state):
            return t + 1, tf.matmul(state, matrix)

        return tf.while_loop(lambda t, _: t < steps, multiply, (0, state), maximum_iterations=steps)[1]

    @tf.function(jit_compile=True)
    def products(state, kernel, states, adjoints):
        through = loop(loop(state, kernel), tf.transpose(kernel))
        return through, tf.matmul(states, adjoints, transpose_a=True)

    def train(count: int) -> None:
        for _ in range(count):
            through, _ = products(state, kernel, states, adjoints)
        through.numpy()

    return train
