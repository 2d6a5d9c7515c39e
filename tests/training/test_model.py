import functools
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp import tasks
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.nn.recurrent import RNN
from rnnexp.optim import clipping, optimizers
from rnnexp.optim.clipping import Clip, Clipped, GlobalNorm, NoClip
from rnnexp.tasks import Adding, Copying
from rnnexp.training.data import stacked, training_data
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import SCALARS, Recorded

H, B, SEED = 6, 4, 3
STEPS = 11
"""No multiple of the executions of 3 and 10 steps."""

TASKS = {"last step": Adding(12), "every step": Copying(4, symbols=3, recall=2)}
LEARNING_RATE = 0.125
"""Exact in float32, in which Keras keeps it."""
THRESHOLD = 0.7

SINGLE = 1e-6
"""The norms are kept in float32, whatever the network computes in."""


def build(task, dtype="float64", clip=None, optimizer=None, **arguments):
    network = build_network(task, ElmanCell(H, dtype=dtype), SEED)
    generator = np.random.default_rng(0)
    network.set_weights([0.4 * generator.standard_normal(weight.shape) for weight in network.get_weights()])
    model = RecordingModel(network, task.loss, clip or NoClip(), time_steps=task.time_steps, **arguments)
    model.compile(optimizer=(optimizer or optimizers.Sgd(LEARNING_RATE)).build())
    return model


def take_steps(model, task, stop, start=0):
    """Take training steps one by one, eagerly."""
    dtype = model.network.inputs[0].dtype
    for index in range(start, stop):
        x, y = task.batch(SEED, "train", index, B)
        model.step(tf.constant(x, dtype), tf.constant(y))


class Run(NamedTuple):
    """What a run left: the record and the final weights."""

    recorded: Recorded
    weights: list[np.ndarray]


def fitted(kind, dtype, jit, execution=1, record=True, shards=1):
    # The cache knows a call by what is written in it, default or not.
    return _fitted(kind, dtype, jit, execution, record, shards)


@functools.cache
def _fitted(kind, dtype, jit, execution, record, shards):
    task = TASKS[kind]
    model = build(task, dtype, GlobalNorm(THRESHOLD), record=record, shards=shards)
    model.compile(optimizer=model.optimizer, jit_compile=jit)
    data = training_data(task, SEED, B, 0, STEPS, dtype, execution)
    model.fit(data, verbose=0, shuffle=False)
    return Run(model.read(0), model.network.get_weights())


@functools.cache
def reference(kind, dtype):
    """The same run as a loop over steps and time, by TensorFlow's own differentiation, SGD by hand."""
    task = TASKS[kind]
    weights = build(task, dtype).network.get_weights()
    log_norms, scalars = [], []
    for index in range(STEPS):
        losses, to_states, gradients = differentiate(task, weights, *task.batch(SEED, "train", index, B))
        norm = np.sqrt(sum(np.sum(gradient.astype(np.float64) ** 2) for gradient in gradients))
        factor = min(1.0, THRESHOLD / norm)
        weights = [
            w - w.dtype.type(LEARNING_RATE * factor) * g for w, g in zip(weights, gradients, strict=True)
        ]
        squares = np.sum(to_states.astype(np.float64) ** 2, axis=2)
        log_norms.append(np.log(np.sqrt(squares.mean(axis=1))))
        scalars.append((losses.mean(), norm, norm * factor, norm > THRESHOLD))
    return Run(Recorded(np.arange(STEPS), np.array(log_norms), np.array(scalars)), weights)


def differentiate(task, weights, x, y):
    """l_b (B,), dl_b/dh_t (T, B, H), dL/dW with L = mean_b l_b."""
    kernel, recurrent_kernel, bias, readout, readout_bias = weights = [tf.constant(w) for w in weights]
    states, outputs = [tf.zeros((B, H), kernel.dtype)], []
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weights)
        for step in tf.unstack(tf.constant(x, kernel.dtype), axis=1):
            states.append(tf.tanh(step @ kernel + states[-1] @ recurrent_kernel + bias))
            outputs.append(states[-1] @ readout + readout_bias)
        if task.scores_every_step:
            shares = tf.nn.log_softmax(tf.stack(outputs, axis=1))
            losses = -tf.reduce_mean(tf.gather(shares, y, batch_dims=2), axis=1)
        else:
            losses = tf.square(y - outputs[-1])[:, 0]
        total, mean = tf.reduce_sum(losses), tf.reduce_mean(losses)
    to_states = np.stack(tape.gradient(total, states[1:]))
    return losses.numpy(), to_states, [gradient.numpy() for gradient in tape.gradient(mean, weights)]


@pytest.mark.parametrize(
    ("kind", "dtype", "jit", "shards"),
    [
        ("last step", "float64", False, 1),
        ("last step", "float64", False, 4),
        ("every step", "float64", False, 1),
        ("every step", "float64", False, 2),
        ("last step", "float32", True, 1),
        ("last step", "float32", True, 2),
    ],
)
def test_a_run_equals_a_loop_that_differentiates_automatically(kind, dtype, jit, shards):
    got, expected = fitted(kind, dtype, jit, shards=shards), reference(kind, dtype)
    tolerance = {"float32": 1e-5, "float64": 1e-9}[dtype]
    np.testing.assert_array_equal(got.recorded.train_steps, np.arange(STEPS))
    assert got.recorded.log_norms.shape == (STEPS, TASKS[kind].time_steps)
    np.testing.assert_allclose(
        got.recorded.log_norms, expected.recorded.log_norms, rtol=0, atol=max(tolerance, SINGLE)
    )
    np.testing.assert_allclose(got.recorded.scalars, expected.recorded.scalars, rtol=tolerance)
    for weight, other in zip(got.weights, expected.weights, strict=True):
        np.testing.assert_allclose(weight, other, rtol=tolerance, atol=tolerance)
    assert 0 < got.recorded.series("clipped").sum() < STEPS


def assert_same(run, other, tolerance=0.0):
    np.testing.assert_array_equal(run.recorded.train_steps, other.recorded.train_steps)
    arrays = [run.recorded.log_norms, run.recorded.scalars, *run.weights]
    others = [other.recorded.log_norms, other.recorded.scalars, *other.weights]
    for array, expected in zip(arrays, others, strict=True):
        np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("jit", "execution"), [(False, 10), (True, 3)])
def test_the_steps_of_an_execution_change_no_bit(jit, execution):
    assert_same(fitted("last step", "float32", jit, execution), fitted("last step", "float32", jit))


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"steps_per_execution": 3}])
def test_whatever_keras_compiles_the_steps_are_the_same(how):
    task = TASKS["last step"]
    model = build(task, "float32", GlobalNorm(THRESHOLD))
    model.compile(optimizer=model.optimizer, **how)
    model.fit(training_data(task, SEED, B, 0, STEPS, "float32", 2), verbose=0, shuffle=False)
    run = Run(model.read(0), model.network.get_weights())
    assert_same(run, fitted("last step", "float32", False), 1e-6)


def test_compilation_changes_the_rounding_only():
    assert_same(fitted("last step", "float32", True), fitted("last step", "float32", False), 1e-5)


@pytest.mark.parametrize("jit", [False, True])
def test_recording_changes_no_bit_of_the_weights(jit):
    recorded, silent = (fitted("last step", "float32", jit, record=record) for record in (True, False))
    assert silent.recorded.log_norms.shape == (STEPS, 0)
    np.testing.assert_array_equal(silent.recorded.scalars, recorded.recorded.scalars)
    for weight, other in zip(silent.weights, recorded.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", tasks.CATALOGUE)
def test_every_task_is_trained_in_its_dtype(name, dtype):
    task = tasks.CATALOGUE[name](8 if name == "digits" else 12)
    model = build(task, dtype)
    before = model.network.get_weights()
    take_steps(model, task, 1)
    recorded = model.read(0)
    assert recorded.log_norms.shape == (1, task.time_steps)
    assert np.isfinite(recorded.log_norms).all() and np.isfinite(recorded.scalars).all()
    for weight, other in zip(model.network.get_weights(), before, strict=True):
        assert weight.dtype == dtype
        assert not np.array_equal(weight, other)


PAIRS = [("sgd", clip) for clip in clipping.CATALOGUE] + [(name, "norm") for name in optimizers.CATALOGUE]


@pytest.mark.parametrize(("name", "clip"), dict.fromkeys(PAIRS))
def test_the_optimizer_is_given_the_clipped_gradients(name, clip):
    """Keras' own clips are not used: the update is that of the optimizer on what our clip returns."""
    task, optimizer = TASKS["last step"], optimizers.CATALOGUE[name](learning_rate=0.1)
    clip = NoClip() if clip == "none" else clipping.CATALOGUE[clip](0.05)  # type: ignore[call-arg]
    model = build(task, clip=clip, optimizer=optimizer)
    variables = [keras.Variable(weight) for weight in model.network.get_weights()]
    x, y = task.batch(SEED, "train", 0, B)
    _, _, gradients = differentiate(task, model.network.get_weights(), x, y)
    gradients = [tf.constant(gradient) for gradient in gradients]
    clipped, _ = clip.update(gradients, model.network.trainable_variables, clip.init(gradients))
    optimizer.build().apply(clipped.gradients, variables)
    take_steps(model, task, 1)
    for weight, variable in zip(model.network.get_weights(), variables, strict=True):
        np.testing.assert_allclose(weight, variable.numpy(), rtol=1e-9)
    _, *scalars = model.read(0).scalars[0]
    np.testing.assert_allclose(scalars, [value.numpy() for value in clipped[1:4]], rtol=1e-9)


def test_a_block_takes_one_step_per_batch_and_skips_padding():
    task = TASKS["last step"]
    model, other = build(task), build(task)
    block = stacked([task.batch(SEED, "train", index, B) for index in range(2)], 4, "float64")
    block[0][2:] = np.nan
    logs = tf.function(model.train_step, autograph=False)(block)
    take_steps(other, task, 2)
    assert model.steps_taken == 2
    recorded, expected = model.read(0), other.read(0)
    np.testing.assert_allclose(recorded.scalars, expected.scalars, rtol=1e-9)
    np.testing.assert_allclose(recorded.log_norms, expected.log_norms, rtol=0, atol=SINGLE)
    np.testing.assert_allclose(logs["loss"], expected.series("loss")[1:], rtol=1e-6)
    for weight, wanted in zip(model.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-9)


def test_the_clip_is_called_once_a_step():
    calls = []

    class Ones(Clip):
        def update(self, gradients, weights, state):
            calls.append(len(gradients))
            kept = [tf.ones_like(gradient) for gradient in gradients]
            return Clipped(kept, tf.constant(2.0), tf.constant(3.0), tf.constant(True)), ()

    task = TASKS["last step"]
    model = build(task, clip=Ones())
    before = model.network.get_weights()
    take_steps(model, task, 2)
    assert calls == [5, 5]
    np.testing.assert_array_equal(model.read(0).scalars[:, 1:], [[2, 3, 1]] * 2)
    for weight, other in zip(model.network.get_weights(), before, strict=True):
        np.testing.assert_allclose(weight, other - 2 * LEARNING_RATE, rtol=1e-12)


def test_a_gradient_of_1e20_is_recorded_and_clipped_in_float32():
    """A linear network at rest: dL/dh_t = W^(T-t) dL/dh_T with W = 100 I, whatever the input."""
    task = TASKS["last step"]
    network = build_network(task, ElmanCell(H, activation="linear", dtype="float32"), SEED)
    network.set_weights([np.zeros((2, H)), 100 * np.eye(H), np.zeros(H), np.ones((H, 1)), np.zeros(1)])
    model = RecordingModel(network, task.loss, GlobalNorm(1.0), time_steps=task.time_steps)
    model.compile(optimizer=optimizers.Sgd(LEARNING_RATE).build())
    take_steps(model, task, 1)
    recorded = model.read(0)
    log_norms = recorded.log_norms[0]
    np.testing.assert_allclose(-np.diff(log_norms), np.log(100), rtol=1e-5)
    residuals = task.batch(SEED, "train", 0, B).y
    np.testing.assert_allclose(log_norms[-1], np.log(np.sqrt(np.mean(4 * H * residuals**2))), rtol=1e-5)
    assert 1e20 < recorded.series("global_norm")[0] < np.inf
    np.testing.assert_allclose(recorded.series("clipped_norm"), 1, rtol=1e-5)
    assert recorded.series("clipped") == 1
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_a_buffer_that_is_read_in_time_loses_nothing():
    task = TASKS["last step"]
    whole, ring = build(task), build(task, rows=4)
    take_steps(whole, task, STEPS)
    blocks = []
    for start, stop in [(0, 4), (4, 4), (4, 7), (7, 8), (8, STEPS)]:
        take_steps(ring, task, stop, start)
        blocks.append(ring.read(start))
    joined = Recorded.joined(blocks)
    assert [len(block.train_steps) for block in blocks] == [4, 0, 3, 1, 3]
    for name in ("train_steps", "log_norms", "scalars"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole.read(0), name))


def test_a_buffer_that_is_read_too_late_says_so():
    task = TASKS["last step"]
    model = build(task, rows=4)
    take_steps(model, task, 5)
    assert list(model.read(1).train_steps) == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="^the buffer holds 4 steps, 5 were asked for$"):
        model.read(0)


def test_steps_are_counted_on_from_where_a_run_was_taken_up():
    task = TASKS["last step"]
    model, other = build(task, rows=4), build(task, rows=4)
    take_steps(model, task, 6)
    other.steps_taken = 5
    other.network.set_weights(model.network.get_weights())
    take_steps(model, task, 7, start=6)
    take_steps(other, task, 7, start=6)
    assert other.steps_taken == 6
    np.testing.assert_array_equal(other.read(5).log_norms, model.read(6).log_norms)


@pytest.mark.parametrize(("layers", "found"), [([], 0), (["a", "b"], 2)])
def test_norms_need_exactly_one_layer_that_hands_them_out(layers, found):
    inputs = keras.Input((12, 2))
    states = inputs
    for name in layers:
        states = RNN(ElmanCell(H), return_sequences=True, name=name)(states)
    outputs = keras.layers.Dense(1)(keras.layers.SimpleRNN(H)(states))
    network = keras.Model(inputs, outputs)
    task = TASKS["last step"]
    text = f"^expected adjoints of as many recurrent layers as layers=1 says, found {found}$"
    for record in (True, False):
        model = RecordingModel(network, task.loss, NoClip(), time_steps=12, record=record)
        model.compile(optimizer="sgd")
        if record:
            with pytest.raises(ValueError, match=text):
                take_steps(model, task, 1)
        else:
            take_steps(model, task, 1)
            assert model.read(0).log_norms.shape == (1, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_outputs_are_the_networks_in_its_dtype(dtype):
    model = build(TASKS["last step"], dtype)
    x = np.random.default_rng(0).random((B, 12, 2))
    outputs = model(x)
    assert outputs.dtype == dtype
    np.testing.assert_array_equal(outputs, model.network(x))


def record(steps):
    """A record whose numbers tell where they belong."""
    steps = np.asarray(steps)
    return Recorded(
        steps, (steps[:, None] + [0.25, 0.5]).astype(np.float32), steps[:, None] + np.arange(4) / 8
    )


def test_a_record_knows_its_series_by_name():
    recorded = record([3, 4])
    for column, name in enumerate(SCALARS):
        np.testing.assert_array_equal(recorded.series(name), [3 + column / 8, 4 + column / 8])
    with pytest.raises(ValueError):
        recorded.series("norm")


@pytest.mark.parametrize("interval", [1, 3, 100])
def test_a_record_can_be_thinned_and_joined(interval):
    parts = [record(range(4)).every(interval), record(range(4, 11)).every(interval), Recorded.empty(2)]
    joined = Recorded.joined(parts)
    expected = record(range(0, 11, interval))
    for name in ("train_steps", "log_norms", "scalars"):
        array = getattr(joined, name)
        np.testing.assert_array_equal(array, getattr(expected, name))
        assert array.dtype == getattr(expected, name).dtype
