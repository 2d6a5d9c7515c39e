"""Data as `fit` takes them, and one sentence where they are wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import gradient_flow
from rnnexp.diagnosis.keras_models.data import first_batch
from rnnexp.runtime.checks import ArgumentError

B, T, F, H = 4, 6, 3, 5
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(B, T, F)).astype("float32")
Y = DRAW.normal(size=(B, H)).astype("float32")
LENGTHS = [6, 3, 3, 6]


class Batches(keras.utils.PyDataset):
    def __init__(self, *batch, length=1):
        super().__init__()
        self.batch, self.length = batch, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.batch


@pytest.fixture(scope="module")
def model():
    """A model that is traced once for every kind of data."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, F)), kl.SimpleRNN(H, name="rnn")])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    "wrap",
    [lambda *b: tf.data.Dataset.from_tensors(b), Batches, lambda *b: b],
    ids=["dataset", "PyDataset", "tuple"],
)
@pytest.mark.parametrize(
    "weights", [(), (np.array([1.0, 2.0, 0.0, 0.5], "float32"),)], ids=["plain", "weighted"]
)
def test_a_data_set_gives_its_first_batch(model, wrap, weights):
    found = gradient_flow(model, wrap(X, Y, *weights))
    expected = gradient_flow(model, X, Y, sample_weight=weights[0] if weights else None)
    assert found.metrics() == expected.metrics()


def test_reading_a_shuffling_data_set_leaves_its_order(model):
    def orders(look):
        data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(B, seed=1).batch(2)
        if look:
            first_batch(model, data)
        return [[x.numpy() for x, _ in data] for _ in range(2)]

    keras.tree.map_structure(np.testing.assert_array_equal, orders(look=True), orders(look=False))


def test_sample_weights_are_part_of_the_loss(model):
    weights = np.array([1.0, 2.0, 0.0, 0.5], "float32")
    flow = gradient_flow(model, X, Y, sample_weight=weights)
    with tf.GradientTape() as tape:
        state = model.layers[0](X)
        tape.watch(state)
        loss = tf.reduce_sum(weights * tf.reduce_mean(tf.square(state - Y), axis=1))
    expected = np.linalg.norm(tape.gradient(loss, state), axis=1)
    np.testing.assert_allclose(np.exp(flow.layers["rnn"]["h"].log_norms[-1]), expected, rtol=1e-5)
    assert flow.loss == pytest.approx(float(loss) / B, rel=1e-6)


def test_class_weights_are_in_the_loss_that_fit_trains():
    model = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    y, weights = np.array([0, 1, 2, 1]), {0: 1.0, 1: 3.0, 2: 0.5}
    flow = gradient_flow(model, X, y, class_weight=weights)
    trained = model.fit(X, y, class_weight=weights, batch_size=B, verbose=0).history["loss"][0]
    assert flow.loss == pytest.approx(trained, rel=1e-6)


def test_a_ragged_batch_is_padded_with_a_mask(model):
    ragged = tf.RaggedTensor.from_tensor(X, lengths=LENGTHS)
    found = gradient_flow(model, ragged, Y).layers["rnn"]["h"].log_norms
    for length in set(LENGTHS):
        rows = np.equal(LENGTHS, length)
        alone = gradient_flow(model, X[rows, :length], Y[rows]).layers["rnn"]["h"].log_norms
        np.testing.assert_allclose(found[:length, rows], alone, rtol=1e-4)
        assert np.isnan(found[length:, rows]).all()


def test_a_model_that_takes_ragged_tensors_gets_them():
    dense = kl.Lambda(lambda x: x.to_tensor() if isinstance(x, tf.RaggedTensor) else x)
    model = keras.Sequential([keras.Input((None, F)), dense, kl.SimpleRNN(H, name="rnn")])
    flow = gradient_flow(model, tf.RaggedTensor.from_tensor(X, lengths=LENGTHS), Y, loss="mse")
    assert not flow.layers["rnn"]["h"].masked.any()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            (np.array([X[0], X[1, :3]], object), Y[:2]),
            "^x: expected numbers in rows of one length, or a ragged",
        ),
        (([[1.0], [1.0, 2.0]], Y[:2]), "^x: "),
        ((X, None), "^y: expected targets"),
        ((X, Y[:3]), r"^y: expected 4 samples, as x has, received 'shape \(3, 5\)'"),
        ((X[..., :2], Y), r"^x: expected shape \(None, None, 3\), received 'shape \(4, 6, 2\)'"),
        ((X[:0], Y[:0]), "^x: expected at least one sample"),
        ((X[:, :0], Y), "^x: expected at least one sample, with no axis of size 0"),
        ((X, (Y, np.ones(B))), "^y: expected targets for 1 output"),
        ((iter([(X, Y)]), None), "^x: expected arrays, or a data set that can be read again"),
        ((Batches(X, Y), Y), "^y: expected None where x is a data set"),
        ((Batches(X, Y, length=0), None), "^x: expected a data set with at least one batch"),
    ],
    ids=[
        "objects",
        "lists",
        "no y",
        "few y",
        "features",
        "empty",
        "no steps",
        "two y",
        "iterator",
        "y twice",
        "none",
    ],
)
def test_what_is_wrong_is_named(model, data, text):
    with pytest.raises(ArgumentError, match=text):
        gradient_flow(model, *data)


def test_both_kinds_of_weights_at_once_are_refused(model):
    with pytest.raises(ArgumentError, match="^class_weight: "):
        gradient_flow(model, X, Y, sample_weight=np.ones(B), class_weight={0: 1.0})
