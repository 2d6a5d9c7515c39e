import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.activations import ALL_OBJECTS
from scipy.special import expit

from rnnexp.nn import activations

NOT_ELEMENTWISE = {"softmax", "log_softmax", "sparsemax", "glu"}
NEED_ARGUMENTS = {"threshold"}
FROM_STATE = ("tanh", "sigmoid", "linear", "relu", "elu", "leaky_relu", "softplus", "exponential")

POINTS = np.array([-7.3, -3.7, -2.2, -1.3, -0.8, -0.3, 0.2, 0.7, 1.4, 2.6, 3.3, 5.1, 6.9])
"""At least 0.1 away from every kink: 0, the shrinks' 1/2, the hard ones' 1 and 3, relu6's 6."""

each_name = pytest.mark.parametrize("name", activations.NAMES)


def tanh(a):
    """A stranger that bears a name of Keras'."""
    return a * a


@pytest.fixture(scope="module")
def random_points():
    return tf.constant(3 * np.random.default_rng(0).standard_normal(200))


def test_every_keras_activation_is_listed_or_excluded():
    listed = set(activations.NAMES)
    assert len(listed) == len(activations.NAMES)
    assert not listed & (NOT_ELEMENTWISE | NEED_ARGUMENTS)
    assert listed | NOT_ELEMENTWISE | NEED_ARGUMENTS == {function.__name__ for function in ALL_OBJECTS}


@each_name
def test_name_is_keras_own(name):
    activation = activations.by_name(name)
    assert activation is getattr(keras.activations, name)
    assert activation.__name__ == name
    assert activations.is_elementwise(activation)


@each_name
def test_jacobian_is_diagonal_and_holds_the_slope(name):
    activation = activations.by_name(name)
    step = 1e-5
    nudges = step * np.eye(len(POINTS))
    above, below = (np.asarray(activation(tf.constant(POINTS + nudge))) for nudge in (nudges, -nudges))
    jacobian = (above - below) / (2 * step)
    assert np.count_nonzero(jacobian - np.diag(np.diag(jacobian))) == 0
    slope = activations.slope(activation, tf.constant(POINTS))
    # rounding 1e-16 / step and truncation step^2 / 6, each times a value of up to exp(6.9)
    np.testing.assert_allclose(slope, np.diag(jacobian), rtol=1e-8, atol=1e-9)


@each_name
def test_slope_is_finite_far_out(name):
    points = tf.constant([-1e3, 0.0, 1e2])
    assert np.isfinite(activations.slope(activations.by_name(name), points)).all() or name == "exponential"


@pytest.mark.parametrize("name", sorted(NOT_ELEMENTWISE))
def test_the_excluded_are_not_elementwise(name):
    activation = activations.by_name(name)
    base = np.asarray(activation(tf.constant([[-0.3, 0.1, 0.5, 0.6]])))
    nudged = np.asarray(activation(tf.constant([[-0.3, 0.1, 0.5, 0.7]])))
    assert base.shape[1] != 4 or np.any(base[:, :3] != nudged[:, :3])
    assert not activations.is_elementwise(activation)


@pytest.mark.parametrize("name", sorted(NEED_ARGUMENTS))
def test_the_excluded_need_arguments(name):
    parameters = list(inspect.signature(getattr(keras.activations, name)).parameters.values())
    assert any(parameter.default is inspect.Parameter.empty for parameter in parameters[1:])


@pytest.mark.parametrize("activation", [lambda a: a, tanh, tf.nn.relu, keras.layers.ReLU(), None])
def test_strangers_are_not_taken_for_elementwise(activation):
    assert not activations.is_elementwise(activation)
    assert activations.slope_from_state(activation) is None


def test_an_alias_is_its_original():
    assert activations.by_name("swish") is activations.by_name("silu")
    assert activations.is_elementwise(activations.by_name("swish"))


def test_unknown_name():
    with pytest.raises(ValueError, match="Could not interpret activation function identifier: rleu"):
        activations.by_name("rleu")


@pytest.mark.parametrize("name", FROM_STATE)
def test_slope_from_state_equals_autodiff(name, random_points):
    activation = activations.by_name(name)
    from_state = activations.slope_from_state(activation)
    assert from_state is not None
    for points in (random_points, tf.zeros(3, tf.float64)):
        expected = activations.slope(activation, points)
        np.testing.assert_allclose(from_state(activation(points)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(activations.NAMES) - set(FROM_STATE)))
def test_the_others_need_the_pre_activation(name):
    assert activations.slope_from_state(activations.by_name(name)) is None


@pytest.mark.parametrize(
    ("name", "phi", "slope"),
    [
        ("tanh", np.tanh, lambda a: np.cosh(a) ** -2),
        ("sigmoid", expit, lambda a: expit(a) * expit(-a)),
        ("relu", lambda a: np.maximum(a, 0), lambda a: (a > 0).astype(float)),
        ("softplus", lambda a: np.logaddexp(a, 0), expit),
    ],
)
def test_numpy_pair_equals_the_closed_form(name, phi, slope):
    got_phi, got_slope = activations.numpy_pair(name)
    for got, expected in ((got_phi(POINTS), phi(POINTS)), (got_slope(POINTS), slope(POINTS))):
        assert isinstance(got, np.ndarray)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_importing_the_module_does_not_import_tensorflow():
    code = (
        "import rnnexp.nn.activations, sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_custom_function_is_elementwise_once_marked():
    def plain(a):
        return a * a

    assert not activations.is_elementwise(plain)
    assert activations.elementwise(plain) is plain
    assert activations.is_elementwise(plain)
    assert activations.slope_from_state(plain) is None
    np.testing.assert_allclose(activations.slope(plain, tf.constant([3.0, -2.0])), [6.0, -4.0], rtol=1e-6)


def test_a_function_of_ones_own_may_hand_out_its_slope():
    @activations.elementwise(slope_from_state=lambda h: 2 * tf.sqrt(h))
    def square_of_positive(a):
        return a * a

    slope = activations.slope_from_state(square_of_positive)
    assert slope is not None
    a = tf.constant([0.5, 3.0])
    np.testing.assert_allclose(
        slope(square_of_positive(a)), activations.slope(square_of_positive, a), rtol=1e-6
    )


def test_a_name_with_a_module_is_that_of_a_function():
    assert activations.by_name("keras.activations:tanh") is keras.activations.tanh
