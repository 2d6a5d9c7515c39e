import itertools
import logging
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn import taps
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN

B, T, F, H = 3, 5, 2, 4
ACTIVATIONS = ("tanh", "relu", "sigmoid", "linear", "softplus", "elu", "leaky_relu", "hard_tanh", "gelu")
RTOL = {"float32": 1e-5, "float64": 1e-9}

X = np.random.default_rng(0).standard_normal((B, T, F))
H0 = np.random.default_rng(1).standard_normal((B, H))
MASK = np.array([[True] * T, [True, False, True, True, False], [True] * T])


class Doubled(keras.layers.SimpleRNNCell):
    """A cell that the equations of its parent do not describe."""

    def call(self, sequence, states, training=False):
        output, _ = super().call(sequence, states, training=training)
        return 2 * output, [2 * output]


def share_weights(*models):
    """Build the models and give them the same random weights."""
    generator = np.random.default_rng(2)
    for model in models:
        model.build((B, T, F))
    weights = [0.5 * generator.standard_normal(weight.shape) for weight in models[0].trainable_weights]
    for model in models:
        for weight, value in zip(model.trainable_weights, weights, strict=True):
            weight.assign(value)
    return models


def ours_and_simple_rnn(*arguments, **keywords):
    return share_weights(*unbuilt(*arguments, **keywords))


def unbuilt(cell=ElmanCell, activation="tanh", use_bias=True, dtype="float64", **options):
    ours = RNN(cell(H, activation=activation, use_bias=use_bias, dtype=dtype), dtype=dtype, **options)
    theirs = keras.layers.SimpleRNN(H, activation=activation, use_bias=use_bias, dtype=dtype, **options)
    return ours, theirs


def ours_and_keras_loop(make_cell, **options):
    cells = [make_cell(units=H, dtype="float64"), make_cell(units=H, dtype="float64")]
    layers = [
        layer(cell, dtype="float64", **options)
        for layer, cell in zip([RNN, keras.layers.RNN], cells, strict=True)
    ]
    return share_weights(*layers)


def differentiated(model, x=X, initial_state=None, *, jit_compile=False, **arguments):
    """Outputs, and the gradients of a random linear form of them to inputs, initial state and weights."""
    if initial_state is not None:
        arguments["initial_state"] = tf.constant(initial_state)
    sources = [x := tf.constant(x), *[arguments[name] for name in arguments if name == "initial_state"]]
    sources = [source for source in sources if source.dtype.is_floating]
    sources += [weight.value for weight in model.trainable_weights]

    def run():
        generator = np.random.default_rng(3)
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = tf.nest.flatten(model(x, **arguments))
            forms = [tf.constant(generator.standard_normal(output.shape), output.dtype) for output in outputs]
            loss = tf.add_n(
                [tf.reduce_sum(form * output) for form, output in zip(forms, outputs, strict=True)]
            )
        return outputs, tape.gradient(loss, sources)

    run = tf.function(run, jit_compile=True) if jit_compile else run
    return [tf.convert_to_tensor(array).numpy() for array in tf.nest.flatten(run())]


def assert_equal(ours, theirs, rtol):
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def assert_same(models, *arguments, rtol=1e-9, **keywords):
    ours, theirs = (differentiated(model, *arguments, **keywords) for model in models)
    assert_equal(ours, theirs, rtol)


@pytest.fixture
def logged(caplog):
    """The texts that the package logs."""
    caplog.set_level(logging.DEBUG, logger="rnnexp")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("rnnexp")]


@pytest.mark.parametrize(
    ("activation", "return_sequences", "go_backwards"),
    list(itertools.product(ACTIVATIONS, [False, True], [False, True])),
)
def test_equals_simple_rnn(activation, return_sequences, go_backwards, logged):
    options = {"return_sequences": return_sequences, "go_backwards": go_backwards}
    assert_same(ours_and_simple_rnn(activation=activation, **options), X, H0)
    assert logged() == []


@pytest.mark.parametrize(
    ("cell", "return_sequences", "use_bias", "dtype"),
    list(itertools.product([ElmanCell, keras.layers.SimpleRNNCell], [False, True], [False, True], RTOL)),
)
def test_equals_simple_rnn_with_its_state(cell, return_sequences, use_bias, dtype, logged):
    layers = ours_and_simple_rnn(
        cell, return_sequences=return_sequences, return_state=True, use_bias=use_bias, dtype=dtype
    )
    assert_same(layers, X.astype(dtype), rtol=RTOL[dtype])
    assert_same(layers, X.astype(dtype), H0.astype(dtype), rtol=RTOL[dtype])
    assert logged() == []


@pytest.mark.parametrize(
    ("activation", "return_sequences"), [("tanh", True), ("relu", False), ("gelu", True)]
)
def test_compiled_by_xla_equals_simple_rnn(activation, return_sequences):
    ours, theirs = ours_and_simple_rnn(activation=activation, return_sequences=return_sequences)
    assert_equal(differentiated(ours, X, H0, jit_compile=True), differentiated(theirs, X, H0), rtol=1e-9)


@pytest.mark.parametrize(("return_sequences", "jit_compile"), [(False, False), (True, False), (True, True)])
def test_a_stateful_layer_carries_its_state_until_reset(return_sequences, jit_compile):
    ours, theirs = ours_and_simple_rnn(stateful=True, return_sequences=return_sequences)
    first = differentiated(ours, jit_compile=jit_compile)
    assert_equal(first, differentiated(theirs), rtol=1e-9)
    second = differentiated(ours, jit_compile=jit_compile)
    assert_equal(second, differentiated(theirs), rtol=1e-9)
    assert not np.allclose(first[0], second[0])
    ours.reset_state()
    assert_equal(differentiated(ours), first, rtol=1e-14)


def test_stacked_layers_equal_stacked_simple_rnns():
    inner, outer = unbuilt(return_sequences=True), unbuilt(activation="relu")
    assert_same(share_weights(*[keras.Sequential(layers) for layers in zip(inner, outer, strict=True)]))


def test_integer_inputs_equal_simple_rnn():
    assert_same(ours_and_simple_rnn(dtype="float32"), np.arange(B * T * F).reshape(B, T, F) % 3, rtol=1e-5)


def test_options_may_be_positional_as_in_keras():
    sequences, state = RNN(ElmanCell(H), True, True)(X)
    assert sequences.shape == (B, T, H)
    np.testing.assert_array_equal(sequences[:, -1], state)


SLOW: dict[str, tuple[Any, dict, dict]] = {
    "the sequences are masked": (ElmanCell, {}, {"mask": MASK}),
    "the loop is to be unrolled": (ElmanCell, {"unroll": True}, {}),
    "the activation is not known to be elementwise": (
        lambda **arguments: ElmanCell(activation=lambda a: a / (1 + abs(a)), **arguments),
        {},
        {},
    ),
    "the cell is a StackedRNNCells": (
        lambda **arguments: [ElmanCell(**arguments), ElmanCell(activation="relu", **arguments)],
        {},
        {},
    ),
    "the cell is a LSTMCell": (keras.layers.LSTMCell, {}, {}),
    "the cell is a Doubled": (Doubled, {}, {}),
    "the cell has dropout": (
        lambda **arguments: keras.layers.SimpleRNNCell(
            dropout=0.5, recurrent_dropout=0.5, seed=0, **arguments
        ),
        {},
        {"training": True},
    ),
    "the cell computes in float32, the layer in float64": (
        lambda units, dtype: ElmanCell(units, dtype="float32"),
        {},
        {},
    ),
}
"""What the log says: (cell, options of the layer, arguments of the call)."""


@pytest.mark.parametrize("obstacle", SLOW)
def test_everything_else_equals_keras_own_loop_and_says_so_once(obstacle, logged):
    make_cell, options, arguments = SLOW[obstacle]
    layers = ours_and_keras_loop(make_cell, return_sequences=True, return_state=True, **options)
    for _ in range(2):
        assert_same(layers, rtol=1e-12, **arguments)
    assert logged() == [f"layer {layers[0].name} runs in Keras' loop: {obstacle}"]


def test_recurrent_dropout_alone_is_dropout(logged):
    RNN(keras.layers.SimpleRNNCell(H, recurrent_dropout=0.5))(X)
    assert [text.split(": ")[1] for text in logged()] == ["the cell has dropout"]


def test_every_slow_layer_says_so(logged):
    layers = [RNN(ElmanCell(H), unroll=True) for _ in range(2)]
    for layer in layers:
        layer(X)
    assert [text.split()[1] for text in logged()] == [layer.name for layer in layers]


TOKENS = np.array([[1, 2, 0, 1, 0], [0, 2, 2, 1, 1], [1, 1, 1, 1, 1]])

MASKING = {
    "masking": (keras.layers.Masking, (X * (TOKENS[..., np.newaxis] > 0)).astype("float32")),
    "embedding": (lambda: keras.layers.Embedding(3, F, mask_zero=True), TOKENS),
}


@pytest.mark.parametrize("kind", MASKING)
def test_a_mask_may_come_from_the_layer_before(kind, logged):
    make_layer, x = MASKING[kind]
    ours, theirs = (
        keras.Sequential([make_layer(), recurrent(ElmanCell(H), return_sequences=True)])
        for recurrent in (RNN, keras.layers.RNN)
    )
    np.testing.assert_array_equal(ours(x)[0, 1], ours(x)[0, 2])
    theirs(x)
    theirs.set_weights(ours.get_weights())
    assert_same([ours, theirs], x, rtol=1e-6)
    assert len(logged()) == 1


@pytest.mark.parametrize("obstacle", SLOW)
def test_recording_changes_nothing_that_keras_loop_returns(obstacle):
    make_cell, options, arguments = SLOW[obstacle]
    layer = RNN(make_cell(units=H, dtype="float64"), dtype="float64", return_state=True, **options)
    layer(X)  # creates the weights
    if "dropout" in obstacle:
        arguments = {}  # two calls would draw two masks
    with tf.GradientTape() as tape, taps.recording(tape):
        recorded = layer(X, **arguments)
    for got, expected in zip(tf.nest.flatten(recorded), tf.nest.flatten(layer(X, **arguments)), strict=True):
        # Keras makes a list of cells a float32 stack, which rounds what passes it.
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 if "Stacked" in obstacle else 0)
