from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate2d

from rnnexp.nn.cells.conv_elman import ConvElman, image_of, image_shape
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.runtime.checks import ArgumentError


def built(pixels, channels, size=3, seed=0):
    cell: Any = ConvElman(size=size).build(
        pixels * channels, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64"
    )
    cell.build((None, pixels))
    rng = np.random.default_rng(seed)
    cell.set_weights([rng.normal(size=weight.shape) for weight in cell.weights])
    return cell


def by_scipy(cell, x, h, channels):
    """One step of one image by SciPy's correlation, channel by channel."""
    kernel, recurrent, bias = (weight.numpy() for weight in cell.weights)
    image, size = image_of(cell), cell.spec.size
    taps = recurrent.reshape(channels, size, size, channels)
    states = h.reshape(*image, channels)
    out = np.empty((*image, channels))
    for c in range(channels):
        a = correlate2d(x.reshape(image), kernel[:, c].reshape(size, size), mode="same") + bias[c]
        a += sum(correlate2d(states[:, :, i], taps[i, :, :, c], mode="same") for i in range(channels))
        out[:, :, c] = np.tanh(a)
    return out.ravel()


@pytest.mark.parametrize(("pixels", "channels", "size"), [(16, 3, 3), (12, 2, 3), (25, 1, 5), (2, 2, 1)])
def test_a_step_is_that_of_scipys_correlation(pixels, channels, size):
    cell = built(pixels, channels, size)
    rng = np.random.default_rng(3)
    x, h = rng.normal(size=(4, pixels)), rng.normal(size=(4, pixels * channels))
    output, states = cell(x, [h])
    expected = [by_scipy(cell, *pair, channels) for pair in zip(x, h, strict=True)]
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(states[0], output)


@pytest.mark.parametrize(("pixels", "channels", "size"), [(12, 2, 3), (25, 1, 5)])
def test_the_recurrent_matrix_is_the_convolution(pixels, channels, size):
    cell = built(pixels, channels, size)
    h = np.random.default_rng(4).normal(size=(3, pixels * channels))
    spec, x = ConvElman(size=size), np.zeros((3, pixels))
    with_state, without = (spec.pre_activation(cell, x, state).numpy() for state in (h, 0 * h))
    np.testing.assert_allclose(h @ spec.recurrent_matrix(cell), with_state - without, rtol=0, atol=1e-12)


def test_a_pixel_sees_one_ring_more_at_every_step():
    cell = built(81, 1)
    for steps in (1, 2, 3):
        states: Any = [np.zeros((81, 81))]
        for image in (np.eye(81), *[np.zeros((81, 81))] * (steps - 1)):
            _, states = cell(image, states)
        far = np.abs(states[0].numpy()[:, 40] - states[0].numpy()[0, 40]) > 1e-12
        rows, columns = np.nonzero(far.reshape(9, 9))
        assert max(abs(rows - 4).max(), abs(columns - 4).max()) == steps


def test_the_taps_together_hand_on_what_one_matrix_would():
    """Every tap is orthogonal with gain 1/K, drawn for itself: K^2 of them sum to a mean square of one."""
    cell: Any = ConvElman().build(
        9 * 4, "tanh", GlorotUniform(seed=1), Orthogonal(gain=0.9, seed=2), "float64"
    )
    cell.build((None, 9))
    taps = np.split(cell.recurrent_kernel.numpy(), 9, axis=1)
    for tap in taps:
        np.testing.assert_allclose(tap @ tap.T, 0.09 * np.eye(4), atol=1e-12)
    assert len({tap.tobytes() for tap in taps}) == 9
    # The centre's is what the initialiser draws alone, at a third of its gain.
    np.testing.assert_allclose(taps[4], Orthogonal(gain=0.3, seed=2)((4, 4), "float64"), atol=1e-15)


@pytest.mark.parametrize(("pixels", "shape"), [(64, (8, 8)), (12, (3, 4)), (7, (1, 7)), (1, (1, 1))])
def test_an_image_is_nearly_square(pixels, shape):
    assert image_shape(pixels) == shape


def test_bad_sizes_are_named():
    with pytest.raises(ArgumentError, match="^size: expected an odd integer, received 2$"):
        ConvElman(size=2)
    with pytest.raises(ArgumentError, match="^units: expected a multiple of 9, the pixels of the task, rec"):
        ConvElman().check_size(10, 9)
    cell = ConvElman().build(10, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    with pytest.raises(ArgumentError, match="^units: expected a multiple of 9, the pixels of the task, rec"):
        cell.build((None, 9))
