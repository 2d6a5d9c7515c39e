"""Regularizers against their closed forms, with gradients, and in the loss that is trained."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.cells.catalogue import CATALOGUE as CELLS
from rnnexp.nn.initializers import GlorotUniform
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import NoClip
from rnnexp.optim.optimizers import Sgd
from rnnexp.optim.regularizers import CATALOGUE, L2, Orthogonal, Regularizer
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding
from rnnexp.training.model import RecordingModel

H, RATE = 5, 0.125  # Keras keeps the rate in float32
SHAPES = {
    "recurrent/cell/kernel": (2, 4 * H),
    "recurrent/cell/recurrent_kernel": (H, 4 * H),
    "recurrent/cell/bias": (4 * H,),
    "readout/kernel": (H, 1),
}


def weights(columns=4):
    generator = np.random.default_rng(1)
    shapes = SHAPES | {"recurrent/cell/recurrent_kernel": (H, columns * H)}
    return {path: tf.Variable(generator.standard_normal(shape)) for path, shape in shapes.items()}


def differentiated(regularizer, variables):
    with tf.GradientTape() as tape:
        loss = regularizer.loss(variables, tf.zeros((1, 2, 2)), tf.zeros((1, 1)))
    return float(loss), tape.gradient(loss, variables)


def test_l2_is_the_sum_of_squares_of_all_matrices():
    variables = weights()
    loss, gradients = differentiated(L2(0.3), variables)
    matrices = {path: value.numpy() for path, value in variables.items() if value.shape.rank == 2}
    assert loss == pytest.approx(0.3 * sum((value**2).sum() for value in matrices.values()), rel=1e-12)
    assert {path for path, gradient in gradients.items() if gradient is not None} == matrices.keys()
    for path, value in matrices.items():
        np.testing.assert_allclose(gradients[path], 0.6 * value, rtol=1e-12)


@pytest.mark.parametrize("columns", [1, 4])
def test_orthogonal_penalizes_blocks_that_are_not_orthogonal(columns):
    variables, path = weights(columns), "recurrent/cell/recurrent_kernel"
    loss, gradients = differentiated(Orthogonal(0.3), variables)
    blocks = np.split(variables[path].numpy(), columns, axis=1)
    # ||W^T W - I||_F^2 = sum_i (sigma_i^2 - 1)^2
    values = [np.linalg.svd(block, compute_uv=False) for block in blocks]
    assert loss == pytest.approx(0.3 * sum(((value**2 - 1) ** 2).sum() for value in values), rel=1e-12)
    expected = [1.2 * block @ (block.T @ block - np.eye(H)) for block in blocks]
    np.testing.assert_allclose(gradients[path], np.hstack(expected), rtol=1e-10)
    assert [name for name, gradient in gradients.items() if gradient is not None] == [path]


def test_the_kernel_of_every_layer_is_penalized():
    lower, upper = weights(1), weights(4)
    other = "recurrent_2/cell/recurrent_kernel"
    both = lower | {other: upper["recurrent/cell/recurrent_kernel"]}
    expected = sum(differentiated(Orthogonal(0.3), each)[0] for each in (lower, upper))
    assert differentiated(Orthogonal(0.3), both)[0] == pytest.approx(expected, rel=1e-12)


def test_an_orthogonal_kernel_costs_nothing():
    variables, (orthogonal, _) = weights(1), np.linalg.qr(np.random.default_rng(2).random((H, H)))
    variables["recurrent/cell/recurrent_kernel"].assign(orthogonal)
    assert differentiated(Orthogonal(1.0), variables)[0] < 1e-28


@pytest.mark.parametrize("kind", [L2, Orthogonal])
@pytest.mark.parametrize("strength", [0, -1.0, np.nan, True])
def test_a_strength_outside_its_domain_is_refused(kind, strength):
    with pytest.raises(ArgumentError, match="^strength: expected a finite number above 0"):
        kind(strength)


TASK = Adding(6)
WITH_A_LOSS = [name for name, kind in CATALOGUE.items() if kind.loss is not Regularizer.loss]


def one_step(cell, shards, regularizer=None):
    """Weights before and after one step of gradient descent, and the loss that is recorded."""
    keras.backend.clear_session()  # equal networks have equal paths
    made = CELLS[cell]().build(H, "tanh", GlorotUniform(seed=0), GlorotUniform(seed=1), "float64")
    network = build_network(TASK, made, seed=2)
    model = RecordingModel(
        network, TASK.loss, NoClip(), time_steps=TASK.time_steps, shards=shards, regularizer=regularizer
    )
    model.compile(optimizer=Sgd(learning_rate=RATE).build())
    before = {weight.path: weight.numpy() for weight in network.trainable_variables}
    x, y = TASK.batch(0, "train", 0, 4)
    model.step(tf.constant(x, tf.float64), tf.constant(y))
    after = {weight.path: weight.numpy() for weight in network.trainable_variables}
    return before, after, model.read(0).series("loss")[0]


@functools.cache
def without(cell, shards):
    return one_step(cell, shards)


@pytest.mark.parametrize("name", WITH_A_LOSS)
@pytest.mark.parametrize(("cell", "shards"), [("elman", 1), ("gru", 2)])
def test_its_gradient_is_trained_and_its_loss_is_not_the_tasks(cell, name, shards):
    regularizer = CATALOGUE[name]()
    before, plain, loss = without(cell, shards)
    _, after, recorded = one_step(cell, shards, regularizer)
    assert recorded == loss
    _, gradients = differentiated(regularizer, {path: tf.Variable(value) for path, value in before.items()})
    for path, gradient in gradients.items():
        step = 0.0 if gradient is None else RATE * gradient.numpy()
        np.testing.assert_allclose(after[path], plain[path] - step, rtol=1e-10, atol=1e-14)
