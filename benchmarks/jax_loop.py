"""The contestant of JAX: `jax.lax.scan` under `jax.jit`, which records nothing."""

from typing import Any

import numpy as np

from benchmarks.work import Shape, Train, batch_of

UNROLLS = (1, 4, 16)
"""Steps in a loop body that are tried; the best one counts."""


def jax_loop(shape: Shape, unroll: int) -> Train:
    """A training loop with Adam, the whole step compiled.

    Raises:
        ImportError: JAX is not installed.
    """
    import jax

    batch = batch_of(shape)
    x, y = jax.numpy.asarray(batch.x), jax.numpy.asarray(batch.y)
    weights = _weights(shape.units)
    zeros = jax.tree.map(jax.numpy.zeros_like, weights)
    step = jax.jit(_step(unroll), donate_argnums=0)
    state = [(weights, zeros, jax.tree.map(jax.numpy.zeros_like, weights), jax.numpy.zeros(()))]

    def train(steps: int) -> None:
        for _ in range(steps):
            state[0] = step(state[0], x, y)
        jax.block_until_ready(state[0])

    return train


def _weights(units: int) -> dict[str, Any]:
    import jax.numpy as jnp

    generator = np.random.default_rng(0)
    orthogonal = np.linalg.qr(generator.standard_normal((units, units)))[0]
    arrays = {
        "kernel": 0.1 * generator.standard_normal((2, units)),
        "recurrent_kernel": orthogonal,
        "bias": np.zeros(units),
        "readout": 0.1 * generator.standard_normal((units, 1)),
        "readout_bias": np.zeros(1),
    }
    return {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}


def _step(unroll: int) -> Any:
    import jax
    import jax.numpy as jnp

    def loss(weights, x, y):
        def advance(state, projected):
            return jnp.tanh(projected + state @ weights["recurrent_kernel"]), None

        projected = jnp.swapaxes(x, 0, 1) @ weights["kernel"] + weights["bias"]
        start = jnp.zeros(projected.shape[1:], projected.dtype)
        last, _ = jax.lax.scan(advance, start, projected, unroll=unroll)
        return jnp.mean((last @ weights["readout"] + weights["readout_bias"] - y) ** 2)

    def adam(state, x, y):
        weights, mean, square, count = state
        gradients, count = jax.grad(loss)(weights, x, y), count + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradients)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, mean, square)
        return weights, mean, square, count

    return adam
