"""The effective receptive field of a recurrent convolution: the input pixels that affect the last state."""

from typing import Any

import numpy as np
import tensorflow as tf

from rnnexp.nn.cells.conv_elman import image_of
from rnnexp.runtime import checks


def receptive_fields(cell: Any, image: np.ndarray, time_steps: int) -> np.ndarray:
    """Return the mean square of dh_T[centre]/dx_1 for every pixel of x_1 and T = 1 .. `time_steps`.

        f_T[p] = sum_c (dh_T[centre, c] / dx_1[p])^2,    x_t = image at every step

    Args:
        cell: A built cell of `rnnexp.nn.cells.conv_elman.ConvElman` with C channels.
        image: (F,), of the cell's shape (height, width).
        time_steps: The largest T, at least 1.

    Returns:
        f, (`time_steps`, height, width). The image of the first step passes T convolutions: one with W_xh and
        T - 1 with W_hh.
    """
    count = checks.integer("time_steps", time_steps, minimum=1)
    still = tf.constant(image[None], cell.compute_dtype)
    first, fields = tf.identity(still), []
    height, across = image_of(cell)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(first)
        states, centres = cell.get_initial_state(1), []
        for step in range(count):
            output, states = cell(first if step == 0 else still, states)
            centres.append(tf.unstack(tf.reshape(output, (height, across, -1))[height // 2, across // 2]))
    for channels in centres:
        gradients = [tape.gradient(channel, first) for channel in channels]
        fields.append(np.sum(np.square(gradients), axis=0)[0])
    return np.array(fields).reshape(count, height, across)


def width(field: np.ndarray) -> float:
    """Return the standard deviation of a field (height, width) as a distribution, per side, in pixels.

    >>> round(width(np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])), 6)
    0.912871
    """
    share = field / field.sum()
    rows, columns = (np.arange(size) for size in field.shape)
    variances = []
    for places, marginal in ((rows, share.sum(axis=1)), (columns, share.sum(axis=0))):
        mean = places @ marginal
        variances.append((places - mean) ** 2 @ marginal)
    return float(np.sqrt(np.mean(variances)))
