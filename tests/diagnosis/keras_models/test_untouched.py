"""Whatever a model holds, wherever it holds it: a look leaves it, and training goes on as without."""

import random
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import GradientFlowMonitor, gradient_flow

B, T, F, H = 4, 3, 3, 5
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(B, T, F)).astype("float32")
Y = DRAW.normal(size=(B, H)).astype("float32")


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.count = tf.Variable(0.0)


class Helper:
    def __init__(self):
        self.inner = types.SimpleNamespace(count=tf.Variable(0.0))


def closure():
    count = tf.Variable(0.0)
    return lambda: count


PLACES = {
    "dict": lambda: ({"n": tf.Variable(0.0)}, lambda held: held["n"]),
    "nested list": lambda: ([[tf.Variable(0.0)]], lambda held: held[0][0]),
    "tuple": lambda: ((tf.Variable(0.0),), lambda held: held[0]),
    "helper object": lambda: (Helper(), lambda held: held.inner.count),
    "module": lambda: (Module(), lambda held: held.count),
    "closure": lambda: (closure(), lambda held: held()),
    "keras variable": lambda: ({"n": keras.Variable(0.0, trainable=False)}, lambda held: held["n"]),
}


class Counting(kl.Layer):
    def __init__(self, held, count):
        super().__init__()
        self.held, self.count = held, count

    def call(self, x):
        self.count(self.held).assign(self.count(self.held) + 1.0)
        return x / tf.convert_to_tensor(self.count(self.held))


def trained(layers, *callbacks, **compiling):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((T, F)), *layers, kl.SimpleRNN(H)])
    model.compile("sgd", "mse", **compiling)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=callbacks)
    return model.get_weights()


def test_a_variable_is_put_back_wherever_it_is():
    results = []
    for callbacks in ([], [GradientFlowMonitor(X, Y)]):
        layers = {place: Counting(*make()) for place, make in PLACES.items()}
        weights = trained(layers.values(), *callbacks)
        results.append((weights, {place: float(each.count(each.held)) for place, each in layers.items()}))
    (plain, counts), (watched, same) = results
    assert counts == same
    assert min(counts.values()) > 0
    keras.tree.map_structure(np.testing.assert_array_equal, watched, plain)


class Noise(kl.Layer):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def call(self, x, training=False):
        return x + tf.cast(self.draw(x.shape), x.dtype) if training else x


SOURCES = {
    "tf": lambda: tf.random.normal,
    "tf, seeded": lambda: lambda shape: tf.random.normal(shape, seed=3),
    "tf, global generator": lambda: lambda shape: tf.random.get_global_generator().normal(shape),
    "tf, own generator": lambda: Holding(tf.random.Generator.from_seed(1)).draw,
    "numpy": lambda: lambda shape: np.random.randn(*shape),  # noqa: NPY002
    "numpy, own": lambda: Holding(np.random.default_rng(0)).draw,
    "python": lambda: lambda shape: random.gauss(0, 1),
    "python, own": lambda: Holding(random.Random(0)).draw,
    "keras": lambda: keras.random.normal,
}


class Holding:
    def __init__(self, generator):
        self.generator = generator

    def draw(self, shape):
        if isinstance(self.generator, random.Random):
            return self.generator.gauss(0, 1)
        size = {"size": shape} if isinstance(self.generator, np.random.Generator) else {"shape": shape}
        return self.generator.normal(**size)


def test_no_random_number_is_used_up():
    results = []
    for callbacks in ([], [GradientFlowMonitor(X, Y, training=True)]):
        tf.random.set_global_generator(tf.random.Generator.from_seed(5))
        layers = [Noise(make()) for make in SOURCES.values()]
        results.append(trained(layers, *callbacks, run_eagerly=True))
    keras.tree.map_structure(np.testing.assert_array_equal, *results)


class Remembering(kl.Layer):
    """Keeps Python numbers, and its last input."""

    def __init__(self):
        super().__init__()
        self.calls, self.seen, self.last = 0, [], None

    def call(self, x):
        self.calls += 1
        self.seen.append(self.calls)
        self.last = x
        return x


@pytest.mark.parametrize("eager", [False, True])
def test_attributes_are_put_back(eager):
    layer = Remembering()
    model = keras.Sequential([keras.Input((T, F)), layer, kl.SimpleRNN(H)])
    model.compile("sgd", "mse", run_eagerly=eager)
    before = layer.calls, list(layer.seen), layer.last
    gradient_flow(model, X, Y)
    assert (layer.calls, list(layer.seen)) == before[:2]
    assert layer.last is before[2]


TOKENS = DRAW.integers(0, 7, size=(B, T))
MASKED_STACK = [
    lambda: kl.Embedding(7, F, mask_zero=True),
    lambda: kl.RNN([kl.GRUCell(H), kl.LSTMCell(H)], return_sequences=True),
]


@pytest.mark.parametrize(
    ("x", "below", "compiling"),
    [(X, [], {"jit_compile": True, "steps_per_execution": 2}), (TOKENS, MASKED_STACK, {"run_eagerly": True})],
    ids=["XLA", "eager"],  # XLA takes seconds to compile more than one layer
)
def test_training_under_every_setting_is_the_same_to_the_bit(x, below, compiling):
    def train(*callbacks):
        keras.utils.set_random_seed(0)
        layers = [make() for make in below]
        model = keras.Sequential([keras.Input(x.shape[1:]), *layers, kl.SimpleRNN(H, dropout=0.3)])
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", **compiling)
        model.fit(x, Y, batch_size=1, verbose=0, callbacks=callbacks)
        return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]

    monitor = GradientFlowMonitor(x[:2], Y[:2], training=True)
    keras.tree.map_structure(np.testing.assert_array_equal, train(monitor), train())
    assert len(monitor.training.global_norm) == 4


RUNS: list[bool] = []


class Spare(keras.Model):
    def __init__(self):
        super().__init__()
        self.rnn = kl.LSTM(H, name="called")
        self.spare = kl.GRU(3, name="spare")
        self.spare.build((None, T, F))

    def call(self, x):
        RUNS.append(tf.executing_eagerly())
        return self.rnn(x)


def test_an_uncalled_layer_does_not_force_eager_execution():
    model = Spare()
    model(X)
    RUNS.clear()
    for _ in range(3):
        assert list(gradient_flow(model, X, Y, loss="mse").layers) == ["called"]
    assert RUNS == [False, False]  # the measured pass and the plain one, each traced once
