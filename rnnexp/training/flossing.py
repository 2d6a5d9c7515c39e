"""Lyapunov exponents that are differentiable with respect to the weights."""

import keras
import numpy as np
import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn.network import RECURRENT
from rnnexp.runtime.random import generator

_WARM_UP = 0.1
"""Share of the steps that the average leaves out: the directions turn into the fastest growing ones."""


class Exponents:
    """The mean square distance of the k largest exponents of an Elman network from a target: an objective.

        J_t Q_{t-1} = Q_t R_t,   lambda_i = mean_tb ln |(R_t)_ii|,   L = 1/k sum_i (lambda_i - target)^2

    with J_t = diag(phi'(a_t)) W_hh^T along the trajectories that x drives, one QR factorisation a step, the
    first tenth of the steps left out. Q_0 is random, the same at every call.

    Args:
        network: Of `rnnexp.nn.network.build_network`, with an Elman cell.
        exponents: k.
        target: Nats per step.
        time_steps: How many steps to use, from the first on; None: all.

    Sources: Engelken 2023, https://arxiv.org/abs/2312.17306; Benettin et al. 1980,
    https://doi.org/10.1007/BF02128236.
    """

    def __init__(self, network: keras.Model, exponents: int, target: float, time_steps: int | None = None):
        self._layer = network.get_layer(RECURRENT)
        self._target = target
        self._time_steps = time_steps
        shape = (self._layer.cell.units, exponents)
        self._start = np.linalg.qr(generator(0, "probe").normal(size=shape))[0]

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        """Return L."""
        return tf.reduce_mean(tf.square(self.exponents(x) - self._target))

    def metrics(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the first and the last of the exponents, and the root of L.

        A run records them as `phase/lambda_1_before` and `phase/lambda_1_after`, `phase/lambda_k_before` and
        `phase/lambda_k_after`, `phase/distance_before` and `phase/distance_after`.
        """
        exponents = self.exponents(x)
        distance = tf.sqrt(tf.reduce_mean(tf.square(exponents - self._target)))
        return {"lambda_1": exponents[0], "lambda_k": exponents[-1], "distance": distance}

    def exponents(self, x: tf.Tensor) -> tf.Tensor:
        """Return lambda_1 .. lambda_k, (k,), nats per step, from x (B, T, F)."""
        projected = self._layer.project(x)[: self._time_steps]
        time_steps, samples = projected.shape[0], projected.shape[1]
        kernel = tf.convert_to_tensor(self._layer.cell.recurrent_kernel)
        activation = self._layer.cell.activation
        warm_up = int(_WARM_UP * time_steps)

        def step(t, state, frame, growth):
            pre_activation = projected[t] + tf.matmul(state, kernel)
            slopes = activations.slope(activation, pre_activation)
            pushed = slopes[:, :, tf.newaxis] * tf.einsum("ij,bik->bjk", kernel, frame)
            frame, triangle = tf.linalg.qr(pushed)
            logs = tf.math.log(tf.abs(tf.linalg.diag_part(triangle)))
            counted = tf.cast(t >= warm_up, logs.dtype)
            return t + 1, activation(pre_activation), frame, growth + counted * logs

        frame = tf.tile(tf.constant(self._start, kernel.dtype)[tf.newaxis], (samples, 1, 1))
        zeros = tf.zeros((samples, frame.shape[2]), kernel.dtype)
        start = (0, tf.zeros_like(projected[0]), frame, zeros)
        *_, growth = tf.while_loop(lambda t, *_: t < time_steps, step, start, maximum_iterations=time_steps)
        return tf.reduce_mean(growth, axis=0) / (time_steps - warm_up)
