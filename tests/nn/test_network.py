import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn import taps
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.initializers import GlorotUniform
from rnnexp.nn.network import RECURRENT, build_network
from rnnexp.nn.recurrent import RNN
from rnnexp.tasks import Adding, Copying

H, B = 6, 4
TASKS = {"last step": Adding(12), "every step": Copying(4, symbols=3, recall=2)}
RTOL = {"float32": 1e-5, "float64": 1e-12}

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def build(task, dtype="float64", seed=7):
    return build_network(task, ElmanCell(H, dtype=dtype), seed)


def forward(task, weights, x):
    """h_t and y_t as loops over steps."""
    kernel, recurrent_kernel, bias, readout, readout_bias = weights
    h, outputs = np.zeros((len(x), H), kernel.dtype), []
    for t in range(task.time_steps):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        outputs.append(h @ readout + readout_bias)
    return np.stack(outputs, axis=1) if task.scores_every_step else outputs[-1]


@each_task
@pytest.mark.parametrize("dtype", RTOL)
def test_the_outputs_are_those_of_a_loop_in_numpy(task, dtype):
    network = build(task, dtype)
    generator = np.random.default_rng(0)
    weights = [generator.standard_normal(weight.shape).astype(dtype) for weight in network.get_weights()]
    network.set_weights(weights)
    # Not representable in float32, so that a float64 network has to take them as they come.
    x = generator.random((B, task.time_steps, task.input_size)).astype(dtype)
    outputs = network(x)
    assert outputs.dtype == dtype
    expected = forward(task, weights, x)
    np.testing.assert_allclose(outputs, expected, rtol=RTOL[dtype], atol=RTOL[dtype])


@each_task
@pytest.mark.parametrize("dtype", RTOL)
def test_readout_is_seeded_glorot_uniform_with_zero_bias(task, dtype):
    network = build(task, dtype)
    *_, kernel, bias = network.get_weights()
    np.testing.assert_array_equal(kernel, GlorotUniform(seed=7)((H, task.output_size), dtype))
    np.testing.assert_array_equal(bias, np.zeros(task.output_size))
    assert {weight.dtype for weight in network.weights} == {dtype}
    assert not np.array_equal(kernel, build(task, dtype, seed=8).get_weights()[3])


@each_task
def test_recurrent_layer_is_found_by_name_and_is_tapped(task):
    network = build(task)
    assert isinstance(network.get_layer(RECURRENT), RNN)
    with tf.GradientTape() as tape, taps.recording(tape) as record:
        network(task.batch(0, "train", 0, B).x)
    assert list(record.taps) == [RECURRENT]


@each_task
@pytest.mark.parametrize("segment", [None, 5])
def test_segment_reaches_the_layer_and_changes_no_output(task, segment):
    network = build_network(task, ElmanCell(H, dtype="float64"), 7, segment=segment)
    assert network.get_layer(RECURRENT).segment == segment
    plain = build(task)
    network.set_weights(plain.get_weights())
    x = task.batch(0, "train", 0, B).x
    np.testing.assert_allclose(network(x), plain(x), rtol=1e-12)


@each_task
def test_it_is_a_plain_keras_model_that_can_be_saved(task, tmp_path):
    network = build(task)
    assert network.input_shape == (None, task.time_steps, task.input_size)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    x = task.batch(0, "train", 0, B).x
    np.testing.assert_array_equal(loaded(x), network(x))
