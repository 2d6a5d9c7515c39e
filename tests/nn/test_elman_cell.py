import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn import initializers
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.runtime.checks import ArgumentError

B, F, H = 3, 2, 4

INITIALIZERS = {
    "glorot_uniform": initializers.GlorotUniform(gain=1.5, seed=1),
    "orthogonal": initializers.Orthogonal(gain=0.9, seed=2),
    "identity": initializers.Identity(gain=0.7),
    "gaussian": initializers.Gaussian(gain=1.2, seed=0),
    "sparse": initializers.Sparse(nonzero=3, gain=0.95, seed=5),
    "normal": initializers.Normal(gain=0.1, seed=2),
    "henaff": initializers.Henaff(gain=0.9, seed=3),
    "antisymmetric": initializers.Antisymmetric(gain=0.8, seed=4),
}
"""One of each, with arguments that are not the defaults."""

each_initializer = pytest.mark.parametrize("name", initializers.CATALOGUE)


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def weighted_cell(**arguments):
    """A float64 cell with random weights, its bias among them."""
    cell = ElmanCell(H, dtype="float64", **arguments)
    cell.build((B, F))
    cell.set_weights([random(*weight.shape) for weight in cell.weights])
    return cell


@pytest.mark.parametrize(
    ("activation", "phi"),
    [("tanh", np.tanh), ("relu", lambda a: np.maximum(a, 0)), (None, lambda a: a), (np.sin, np.sin)],
)
def test_step_equals_one_numpy_expression(activation, phi):
    cell, x, h = weighted_cell(activation=activation), random(B, F), random(B, H)
    kernel, recurrent_kernel, bias = cell.get_weights()
    output, state = cell(x, h)
    np.testing.assert_allclose(output, phi(x @ kernel + h @ recurrent_kernel + bias), rtol=1e-14)
    np.testing.assert_array_equal(state, output)


def test_step_without_bias():
    cell, x, h = weighted_cell(use_bias=False), random(B, F), random(B, H)
    kernel, recurrent_kernel = cell.get_weights()
    assert cell.bias is None
    np.testing.assert_allclose(cell(x, h)[0], np.tanh(x @ kernel + h @ recurrent_kernel), rtol=1e-14)


def test_the_state_comes_back_in_the_form_in_which_it_came():
    cell, x, h = weighted_cell(), random(B, F), random(B, H)
    bare, bare_state = cell(x, h)
    listed, listed_state = cell(x, [h])
    assert isinstance(listed_state, list)
    for array in (listed, bare_state, listed_state[0]):
        np.testing.assert_array_equal(array, bare)


def test_weights_have_keras_names_and_shapes():
    weights = {weight.name: tuple(weight.shape) for weight in weighted_cell().weights}
    assert weights == {"kernel": (F, H), "recurrent_kernel": (H, H), "bias": (H,)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_state_is_zero_in_the_dtype_of_the_cell(dtype):
    (state,) = ElmanCell(H, dtype=dtype).get_initial_state(batch_size=B)
    assert state.dtype == dtype
    np.testing.assert_array_equal(state, np.zeros((B, H)))


def test_equals_keras_own_cell_in_keras_own_loop():
    x = tf.constant(random(B, 5, F))
    ours = keras.layers.RNN(weighted_cell(), return_sequences=True, dtype="float64")
    theirs = keras.layers.SimpleRNN(H, return_sequences=True, dtype="float64")
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.set_weights(ours.get_weights())
    results = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            states = layer(x)
            loss = tf.reduce_sum(tf.square(states))
        results.append([states, *tape.gradient(loss, [x, *[weight.value for weight in layer.weights]])])
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9)


@each_initializer
def test_weights_are_what_the_initialiser_draws(name):
    initializer = INITIALIZERS[name]
    cell = ElmanCell(H, recurrent_initializer=initializer, dtype="float64")
    cell.build((B, F))
    np.testing.assert_array_equal(cell.recurrent_kernel, initializer((H, H), "float64"))


@each_initializer
def test_config_round_trip_keeps_the_initialiser(name):
    initializer = INITIALIZERS[name]
    cell = ElmanCell(H, kernel_initializer=initializer, recurrent_initializer=initializer)
    config = keras.saving.serialize_keras_object(cell)
    revived = keras.saving.deserialize_keras_object(config)
    assert isinstance(revived, ElmanCell)
    for got in (revived.kernel_initializer, revived.recurrent_initializer):
        assert type(got) is initializers.CATALOGUE[name]
        assert got.get_config() == initializer.get_config()


def test_config_round_trip_keeps_every_argument():
    arguments = {
        "units": H,
        "activation": "relu",
        "use_bias": False,
        "name": "cell",
        "trainable": False,
    }
    cell = ElmanCell(
        kernel_initializer="ones", recurrent_initializer="identity", bias_initializer="ones", **arguments
    )
    revived = ElmanCell.from_config(cell.get_config())
    assert revived.get_config() == cell.get_config()
    assert {name: cell.get_config()[name] for name in arguments} == arguments
    types = [keras.initializers.Ones, keras.initializers.Identity, keras.initializers.Ones]
    names = ["kernel_initializer", "recurrent_initializer", "bias_initializer"]
    assert [type(getattr(revived, name)) for name in names] == types


def test_a_name_means_keras_own_initialiser():
    cell = ElmanCell(H, kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal")
    assert type(cell.kernel_initializer) is keras.initializers.GlorotUniform
    assert type(cell.recurrent_initializer) is keras.initializers.Orthogonal


@pytest.mark.parametrize("units", [0, -3, 2.0, "4", True, None])
def test_units_must_be_a_positive_integer(units):
    with pytest.raises(ArgumentError) as error:
        ElmanCell(units)
    assert str(error.value) == f"units: expected an integer of at least 1, received {units!r}"


def test_use_bias_must_be_true_or_false():
    with pytest.raises(ArgumentError) as error:
        ElmanCell(H, use_bias=1)
    assert str(error.value) == "use_bias: expected true or false, received 1"


def test_unknown_activation():
    with pytest.raises(ValueError, match="activation function identifier: rleu"):
        ElmanCell(H, activation="rleu")
