"""A network without input: the trajectory that the literature on random networks studies."""

import numpy as np

from rnnexp.probes.jacobians import ElmanJacobians
from rnnexp.runtime.arrays import filled
from rnnexp.runtime.checks import integer
from rnnexp.runtime.random import generator
from rnnexp.theory import Elementwise


def autonomous_jacobians(
    recurrent_kernel: np.ndarray,
    phi: Elementwise,
    slope: Elementwise,
    time_steps: int,
    samples: int = 1,
    discard: int = 100,
    seed: int = 0,
) -> ElmanJacobians:
    """Iterate a network without input from random states, and return the Jacobians on its way.

        h_t = phi(W_hh^T h_{t-1}),   h_0 ~ N(0, 1) in every unit,   J_t = diag(phi'(a_t)) W_hh^T

    Args:
        recurrent_kernel: W_hh, (H, H).
        phi: The activation.
        slope: Its derivative.
        time_steps: T.
        samples: B trajectories of the same kernel.
        discard: Steps to leave out at the start, in which the trajectories reach their attractor.
        seed: Seed of h_0.

    Raises:
        ArgumentError: `time_steps` or `samples` is below 1, `discard` or `seed` below 0, or the kernel is not
            square.
    """
    kernel = filled("recurrent_kernel", recurrent_kernel, "H, H")
    time_steps, samples = integer("time_steps", time_steps, 1), integer("samples", samples, 1)
    discard = integer("discard", discard, 0)
    state = generator(integer("seed", seed, 0), "probe").normal(size=(samples, len(kernel)))
    slopes = np.empty((time_steps, *state.shape))
    for step in range(-discard, time_steps):
        pre_activation = state @ kernel
        state = phi(pre_activation)
        if step >= 0:
            slopes[step] = slope(pre_activation)
    return ElmanJacobians(slopes, kernel)
