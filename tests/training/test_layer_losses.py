"""What layers add to the loss (regularizers, activity terms) is trained, as Keras trains it."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.losses import sequence_losses
from rnnexp.nn.recurrent import RNN
from rnnexp.optim.clipping import NoClip
from rnnexp.tasks import Adding
from rnnexp.training.data import training_data
from rnnexp.training.model import RecordingModel

TASK, H, B, SEED, STEPS, RATE = Adding(8), 5, 4, 3, 6, 0.125


class Doubled(keras.layers.Layer):
    """Hands on what it is given, and adds a term of its own."""

    def call(self, inputs):
        self.add_loss(0.01 * keras.ops.mean(inputs**4))
        return inputs


TERMS = {
    "none": {},
    "kernel": {"kernel": keras.regularizers.L2(0.3)},
    "activity": {"activity": keras.regularizers.L1L2(0.05, 0.2)},
    "all": {
        "kernel": keras.regularizers.L1(0.1),
        "activity": keras.regularizers.L2(0.2),
        "own": True,
    },
}


def build(kernel=None, activity=None, own=False):
    """A network with these terms on its layers, from weights that are always alike."""
    inputs = keras.Input((TASK.time_steps, TASK.input_size), dtype="float32")
    cell = ElmanCell(H, dtype="float32")
    states = RNN(cell, activity_regularizer=activity, dtype="float32")(inputs)
    if own:
        states = Doubled(dtype="float32")(states)
    readout = keras.layers.Dense(TASK.output_size, kernel_regularizer=kernel, dtype="float32")
    network = keras.Model(inputs, readout(states))
    generator = np.random.default_rng(0)
    network.set_weights([0.5 * generator.standard_normal(weight.shape) for weight in network.get_weights()])
    return network


def recorded(terms, shards=1, jit=False):
    """Weights, the losses that `fit` hands to callbacks, and the record of a run with these terms."""
    # The cache knows a call by what is written in it, default or not.
    return _recorded(terms, shards, jit)


@functools.cache
def _recorded(terms, shards, jit):
    network = build(**TERMS[terms])
    model = RecordingModel(network, TASK.loss, NoClip(), time_steps=TASK.time_steps, shards=shards)
    model.compile(optimizer=keras.optimizers.SGD(RATE), jit_compile=jit)
    losses = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append(logs["loss"]))
    data = training_data(TASK, SEED, B, 0, STEPS, "float32", 1)
    model.fit(data, verbose=0, shuffle=False, callbacks=[note])
    return network.get_weights(), losses, model.read(0)


@functools.cache
def by_keras(terms):
    """Weights and losses of the same run by `keras.Model.train_on_batch`."""
    network = build(**TERMS[terms])

    def loss(y, prediction):
        return tf.reduce_mean(sequence_losses(TASK.loss, y, prediction))

    network.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss, jit_compile=False)
    batches = [TASK.batch(SEED, "train", index, B) for index in range(STEPS)]
    losses = []
    for x, y in batches:
        network.reset_metrics()
        losses.append(network.train_on_batch(x.astype("float32"), y.astype("float32")))
    return network.get_weights(), losses


@pytest.mark.parametrize(("terms", "shards", "jit"), [(t, 1, False) for t in TERMS] + [("all", 2, True)])
def test_weights_and_loss_are_those_of_keras(terms, shards, jit):
    weights, losses, _ = recorded(terms, shards, jit)
    expected, expected_losses = by_keras(terms)
    # In float32, since Keras computes losses in it whatever the network computes in.
    for got, want in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)


def test_the_terms_change_the_weights():
    plain, _, _ = recorded("none")
    for terms in ("kernel", "activity", "all"):
        weights, _, _ = recorded(terms)
        assert max(np.abs(a - b).max() for a, b in zip(weights, plain, strict=True)) > 1e-3


def test_the_record_keeps_the_loss_of_the_task():
    _, _, record = recorded("all")
    x, y = TASK.batch(SEED, "train", 0, B)
    first = tf.reduce_mean(sequence_losses(TASK.loss, tf.constant(y), build()(x.astype("float32"))))
    np.testing.assert_allclose(record.series("loss")[0], first, rtol=1e-6)


def test_the_recorded_adjoints_are_of_all_that_is_trained():
    network = build(**TERMS["all"])
    x, y = TASK.batch(SEED, "train", 0, B)
    _, recurrent, own, readout = network.layers
    with tf.GradientTape() as tape:
        state = recurrent(tf.constant(x, tf.float32))
        tape.watch(state)
        loss = tf.reduce_mean(sequence_losses(TASK.loss, tf.constant(y), readout(own(state))))
        loss += 0.2 * tf.reduce_sum(state**2) / B + 0.01 * tf.reduce_mean(state**4)
    expected = np.log(np.linalg.norm(tape.gradient(loss, state)) * np.sqrt(B))
    _, _, record = recorded("all")
    np.testing.assert_allclose(record.log_norms[0, -1], expected, rtol=1e-5)
