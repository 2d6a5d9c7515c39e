import subprocess
import sys

import keras
import numpy as np
import pytest

from rnnexp.nn import initializers
from rnnexp.nn.cells.catalogue import CATALOGUE
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.nn.recurrent import RNN
from rnnexp.tasks import Adding

B, T, F, H = 4, 6, 3, 5
X = np.random.default_rng(0).standard_normal((B, T, F)).astype("float32")


def ours(**options):
    return RNN(ElmanCell(H, activation="relu"), **options)


def theirs(**options):
    return keras.layers.SimpleRNN(H, activation="relu", **options)


def share_weights(*models):
    """Build the models and give them the same random weights."""
    generator = np.random.default_rng(1)
    for model in models:
        model.build((None, T, F))
    weights = [0.4 * generator.standard_normal(weight.shape) for weight in models[0].get_weights()]
    for model in models:
        model.set_weights(weights)
    return models


@pytest.fixture
def policy():
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def saved_network():
    """A network with an initialiser of each kind that a shape of it allows, and a wrapped layer."""
    wrapped = RNN(
        ElmanCell(H, recurrent_initializer=initializers.Sparse(nonzero=2, gain=0.9, seed=1)),
        return_sequences=True,
    )
    cell = ElmanCell(
        H,
        activation="softplus",
        use_bias=False,
        kernel_initializer=initializers.GlorotUniform(gain=2.0, seed=4),
        recurrent_initializer=initializers.Orthogonal(gain=0.8, seed=3),
    )
    inputs = keras.Input((None, F))
    states = keras.layers.Bidirectional(wrapped, name="both")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(RNN(cell, name="last")(states)))


LOADING = """
import sys
import keras, numpy
import rnnexp
rnnexp.RNN
model = keras.models.load_model(sys.argv[1])
initial = keras.Model.from_config(model.get_config())
initial.load_weights(sys.argv[2])
x = numpy.load(sys.argv[3])
numpy.savez(sys.argv[4], loaded=model(x), weights=initial(x), **{
    name: initializer(shape)
    for name, initializer, shape in [
        ("kernel", model.get_layer("last").cell.kernel_initializer, (3, 4)),
        ("recurrent", model.get_layer("last").cell.recurrent_initializer, (4, 4)),
        ("sparse", model.get_layer("both").forward_layer.cell.recurrent_initializer, (4, 4)),
    ]
})
for path in sys.argv[5:]:
    print(type(keras.saving.load_model(path).get_layer("recurrent").cell).__name__)
"""


def saved_cells(folder):
    """Return a file of a network with each cell of the catalogue, and the names of their classes."""
    files, kinds = [], []
    for name, spec in CATALOGUE.items():
        cell = spec().build(
            4, "tanh", initializers.GlorotUniform(seed=1), initializers.Orthogonal(seed=2), "float32"
        )
        files.append(str(folder / f"{name}.keras"))
        build_network(Adding(6), cell, seed=3).save(files[-1])
        kinds.append(type(cell).__name__)
    return files, kinds


def test_saved_models_load_in_another_process(tmp_path):
    network = saved_network()
    files, kinds = saved_cells(tmp_path)
    paths = [str(tmp_path / name) for name in ("model.keras", "model.weights.h5", "x.npy", "results.npz")]
    network.save(paths[0])
    network.save_weights(paths[1])
    np.save(paths[2], X)
    command = [sys.executable, "-c", LOADING, *paths, *files]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.split() == kinds
    results = np.load(paths[3])
    for name in ("loaded", "weights"):
        np.testing.assert_allclose(results[name], network(X), rtol=1e-6)
    np.testing.assert_array_equal(results["kernel"], initializers.GlorotUniform(gain=2.0, seed=4)((3, 4)))
    np.testing.assert_array_equal(results["recurrent"], initializers.Orthogonal(gain=0.8, seed=3)((4, 4)))
    np.testing.assert_array_equal(results["sparse"], initializers.Sparse(nonzero=2, gain=0.9, seed=1)((4, 4)))


@pytest.mark.parametrize("merge_mode", ["concat", None])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_bidirectional_equals_that_of_simple_rnn(merge_mode, return_sequences):
    got, expected = share_weights(*[
        keras.layers.Bidirectional(layer(return_sequences=return_sequences), merge_mode=merge_mode)
        for layer in (ours, theirs)
    ])  # fmt: skip
    for got_part, expected_part in zip(
        keras.tree.flatten(got(X)), keras.tree.flatten(expected(X)), strict=True
    ):
        np.testing.assert_allclose(got_part, expected_part, rtol=1e-5, atol=1e-6)


def test_time_distributed_equals_that_of_simple_rnn():
    x = np.stack([X, 2 * X, -X], axis=1)
    got, expected = (keras.Sequential([keras.layers.TimeDistributed(layer())]) for layer in (ours, theirs))
    got(x), expected(x)
    expected.set_weights(got.get_weights())
    np.testing.assert_allclose(got(x), expected(x), rtol=1e-5, atol=1e-6)


def test_a_functional_model_takes_any_number_of_steps():
    networks = []
    for layer in (ours, theirs):
        inputs = keras.Input((None, F))
        networks.append(keras.Model(inputs, layer(return_sequences=True)(inputs)))
    got, expected = share_weights(*networks)
    assert got.output_shape == (None, None, H)
    for steps in (1, 4, T):
        np.testing.assert_allclose(got(X[:, :steps]), expected(X[:, :steps]), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            got.predict(X[:, :steps], verbose=0), expected(X[:, :steps]), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(("steps_per_execution", "jit_compile"), [(1, False), (4, True)])
def test_fit_trains_as_simple_rnn_does(steps_per_execution, jit_compile):
    x = np.concatenate([X, -X])
    y = x.sum(axis=(1, 2))[:, np.newaxis]
    histories = []
    networks = share_weights(
        *[keras.Sequential([layer(), keras.layers.Dense(1)]) for layer in (ours, theirs)]
    )
    for network, jit in zip(networks, (jit_compile, False), strict=True):
        network.compile(
            keras.optimizers.SGD(0.01), "mse", steps_per_execution=steps_per_execution, jit_compile=jit
        )
        history = network.fit(x, y, batch_size=2, epochs=4, shuffle=False, verbose=0)
        histories.append(history.history["loss"])
    got, expected = histories
    np.testing.assert_allclose(got, expected, rtol=1e-4)
    assert got[-1] < got[0]


def test_mixed_precision_equals_simple_rnn_in_half_precision(policy):
    policy("mixed_float16")
    got, expected = share_weights(*[
        keras.Sequential([layer(return_sequences=True), keras.layers.Dense(1)]) for layer in (ours, theirs)
    ])  # fmt: skip
    assert got(X).dtype == "float16"
    assert {weight.dtype for weight in got.weights} == {"float32"}
    np.testing.assert_allclose(got(X), expected(X), rtol=1e-2, atol=1e-2)
    got.compile("sgd", "mse", jit_compile=True)
    (loss,) = got.fit(X, np.ones((B, T, 1), "float32"), batch_size=B, verbose=0).history["loss"]
    assert np.isfinite(loss)
