import functools
import re
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn import taps as recording
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.rematerialized_scan import segmented_scan
from rnnexp.nn.scan import scan
from rnnexp.runtime.checks import ArgumentError

T, B, F, H = 7, 3, 2, 4
LENGTHS = (1, 3, T - 1, T, T + 5)

each_length = pytest.mark.parametrize("segment", LENGTHS)
each_return = pytest.mark.parametrize("return_states", [False, True], ids=["last", "all"])


class Problem(NamedTuple):
    """Inputs of the scan, and the weights of a loss sum(direct * states) + sum(last * h_T)."""

    x: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray
    recurrent_kernel: np.ndarray
    initial_state: np.ndarray
    direct: np.ndarray
    last: np.ndarray

    @classmethod
    def random(cls, steps=T, batch_size=B):
        normal = np.random.default_rng(0).standard_normal
        states, state = (steps, batch_size, H), (batch_size, H)
        weights = normal((F, H)), normal(H), 0.5 * normal((H, H))
        return cls(normal((steps, batch_size, F)), *weights, normal(state), normal(states), normal(state))

    def cast(self, dtype):
        return Problem(*(array.astype(dtype) for array in self))


SOURCES = Problem._fields[:5]


class Differentiated(NamedTuple):
    """What one forward and one backward pass give; `gradients` by `SOURCES`."""

    states: np.ndarray | None
    last: np.ndarray
    gradients: list[np.ndarray]
    log_norms: np.ndarray | None


@functools.cache
def differentiator(mode, activation, segment, return_states, tap, signature=None):
    """One function a variant, so that nothing is traced or compiled twice. `segment` None: the plain scan."""
    phi = activations.by_name(activation)

    def run(x, kernel, bias, recurrent_kernel, initial_state, **options):
        if segment is None:
            projected = tf.tensordot(x, kernel, 1) + bias
            return scan(projected, recurrent_kernel, initial_state, phi, **options)
        arguments = (x, kernel, bias, recurrent_kernel, initial_state, phi)
        return segmented_scan(*arguments, segment=segment, **options)

    def differentiate(*problem):
        *inputs, direct, last = problem
        shapes = {None: None, "total": tf.shape(inputs[0])[:1], "per_sample": tf.shape(inputs[0])[:2]}
        taps = [] if tap is None else [tf.zeros(shapes[tap], tf.float64)]
        with tf.GradientTape() as tape:
            tape.watch([*inputs, *taps])
            result = run(*inputs, return_states=return_states, taps=taps)
            loss = tf.reduce_sum(last * result.last)
            if return_states:
                loss += tf.reduce_sum(direct * result.states)
        states = [result.states] if return_states else []
        return states, result.last, *tape.gradient(loss, (inputs, taps))

    if mode == "eager":
        return differentiate
    return tf.function(differentiate, input_signature=signature, jit_compile=mode == "xla")


def differentiate(
    problem, segment, *, mode="eager", activation="tanh", return_states=True, tap="total", signature=None
):
    function = differentiator(mode, activation, segment, return_states, tap, signature)
    states, last, gradients, records = function(*(tf.constant(array) for array in problem))
    one = [array[0].numpy() if array else None for array in (states, records)]
    return Differentiated(one[0], last.numpy(), [gradient.numpy() for gradient in gradients], one[1])


def assert_equal(got, expected, rtol=1e-9):
    close = functools.partial(np.testing.assert_allclose, rtol=rtol, atol=1e-14)
    close(got.last, expected.last)
    for name, ours, theirs in zip(SOURCES, got.gradients, expected.gradients, strict=True):
        close(ours, theirs, err_msg=name, atol=rtol * np.abs(theirs).max())
    for ours, theirs in ((got.states, expected.states), (got.log_norms, expected.log_norms)):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            close(ours, theirs)


def numpy_twin(problem, *, return_states, tap):
    """tanh and its adjoint as loops over steps, from the textbook."""
    states, direct = [problem.initial_state], problem.direct if return_states else 0 * problem.direct
    for x in problem.x:
        states.append(np.tanh(x @ problem.kernel + problem.bias + states[-1] @ problem.recurrent_kernel))
    gradients = [np.zeros_like(array) for array in problem[:5]]
    by_state, from_future = np.zeros_like(problem.direct), problem.last
    for t in reversed(range(len(problem.x))):
        by_state[t] = from_future + direct[t]
        delta = (1 - states[t + 1] ** 2) * by_state[t]
        gradients[0][t] = delta @ problem.kernel.T
        gradients[1] += problem.x[t].T @ delta
        gradients[2] += delta.sum(axis=0)
        gradients[3] += states[t].T @ delta
        from_future = delta @ problem.recurrent_kernel.T
    gradients[4] = from_future
    log_norms = np.log(np.linalg.norm(by_state, axis=2 if tap == "per_sample" else (1, 2)))
    return Differentiated(np.array(states[1:]) if return_states else None, states[-1], gradients, log_norms)


@each_length
@each_return
@pytest.mark.parametrize("tap", ["total", "per_sample"])
def test_equals_numpy_twin(segment, return_states, tap):
    options = {"return_states": return_states, "tap": tap}
    got = differentiate(Problem.random(), segment, **options)
    assert_equal(got, numpy_twin(Problem.random(), **options))


def test_compiled_by_xla_equals_numpy_twin():
    options = {"return_states": True, "tap": "per_sample"}
    got = differentiate(Problem.random(), 3, mode="xla", **options)
    assert_equal(got, numpy_twin(Problem.random(), **options))


@pytest.mark.parametrize(
    ("activation", "return_states"),
    [*((name, True) for name in activations.NAMES), ("relu", False), ("silu", False)],
)
def test_equals_the_plain_scan_for_every_activation(activation, return_states):
    options = {"activation": activation, "return_states": return_states}
    got, expected = (differentiate(Problem.random(), segment, **options) for segment in (3, None))
    assert_equal(got, expected)


@pytest.mark.parametrize(
    ("segment", "activation", "return_states", "dtype"),
    [(3, "relu", False, "float32"), (1, "gelu", True, "float64")],
)
def test_compiled_by_xla_equals_the_plain_scan(segment, activation, return_states, dtype):
    options = {"activation": activation, "return_states": return_states}
    problem = Problem.random().cast(dtype)
    got = differentiate(problem, segment, mode="xla", **options)
    expected = differentiate(problem, None, **options)
    assert {array.dtype.name for array in (got.last, *got.gradients)} == {dtype}
    assert got.log_norms.dtype == np.float64
    assert_equal(got, expected, rtol={"float32": 2e-6, "float64": 1e-9}[dtype])


@pytest.mark.parametrize(("return_states", "mode"), [(True, "eager"), (False, "eager"), (True, "xla")])
def test_recording_changes_nothing_else(return_states, mode):
    options = {"return_states": return_states, "mode": mode}
    silent = differentiate(Problem.random(), 3, tap=None, **options)
    assert silent.log_norms is None
    recorded = differentiate(Problem.random(), 3, tap="per_sample", **options)
    assert_equal(recorded._replace(log_norms=None), silent, rtol=1e-14)


@each_return
def test_sizes_may_be_unknown_to_the_graph(return_states):
    x, states, state = (None, None, F), (None, None, H), (None, H)
    shapes = (x, (F, H), (H,), (H, H), state, states, state)
    signature = tuple(tf.TensorSpec(shape, tf.float64) for shape in shapes)
    options = {"return_states": return_states, "tap": "per_sample"}
    for steps, batch_size in ((T, B), (6, 2), (3, 1), (2, 5), (1, 1)):
        problem = Problem.random(steps, batch_size)
        got = differentiate(problem, 3, mode="graph", signature=signature, **options)
        assert_equal(got, numpy_twin(problem, **options))


def test_an_exact_zero_is_minus_infinity_across_borders():
    dead = Problem.random()._replace(bias=np.full(H, -1e3))
    got = differentiate(dead, 3, activation="relu", return_states=False)
    np.testing.assert_array_equal(got.log_norms[:-1], -np.inf)
    np.testing.assert_allclose(got.log_norms[-1], np.log(np.linalg.norm(dead.last)))


def test_segments_bound_the_memory_of_a_compiled_step():
    def longest(steps, segment):
        """Steps of the longest sequence of states that the program of one training step holds."""
        function = differentiator("xla", "tanh", segment, False, "total")
        shapes = [array.shape for array in Problem.random(1)]
        specs = [tf.TensorSpec(shape, tf.float32) for shape in [(steps, *shapes[0][1:]), *shapes[1:]]]
        text = function.experimental_get_compiler_ir(*specs)(stage="optimized_hlo")
        return max(map(int, re.findall(rf"f32\[(\d+),{B},{H}\]", text)))

    assert longest(10_000, None) == 10_000
    assert longest(10_000, 100) <= 101


X = np.random.default_rng(1).standard_normal((B, T, F))


def layer_and_twin(segment=3, **options):
    cell = functools.partial(ElmanCell, H, dtype="float64")
    use_bias = options.pop("use_bias", True)
    layers = [
        RNN(cell(use_bias=use_bias), segment=k, name="layer", dtype="float64", **options)
        for k in (segment, None)
    ]
    for layer in layers:
        layer.build(X.shape)
    layers[1].set_weights(layers[0].get_weights())
    return layers


def outputs_and_gradients(layer, mode="eager"):
    def run():
        x = tf.constant(X)
        with tf.GradientTape() as tape, recording.recording(tape, per_sample=True) as record:
            tape.watch(x)
            outputs = tf.nest.flatten(layer(x))
            loss = tf.add_n([tf.reduce_sum(tf.sin(output)) for output in outputs])
        weights = [weight.value for weight in layer.trainable_weights]
        return outputs, tape.gradient(loss, (x, weights, record.taps))

    found = run() if mode == "eager" else tf.function(run, jit_compile=mode == "xla")()
    return [array.numpy() for array in tf.nest.flatten(found)]


OPTIONS: dict[str, dict] = {
    "last": {},
    "all": {"return_sequences": True, "return_state": True},
    "backwards": {"go_backwards": True},
    "no bias": {"use_bias": False},
    "as long as the sequence": {"segment": T},
}


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, "eager") for name in OPTIONS), ("last", "graph"), ("all", "xla")]
)
def test_the_layer_equals_the_layer_without(name, mode):
    layers = layer_and_twin(**OPTIONS[name])
    got, expected = outputs_and_gradients(layers[0], mode), outputs_and_gradients(layers[1])
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())


def test_the_layer_cuts_only_what_is_longer_than_a_segment(monkeypatch):
    calls = []

    def spy(*arguments, segment, **options):
        calls.append(segment)
        return segmented_scan(*arguments, segment=segment, **options)

    monkeypatch.setattr("rnnexp.nn.recurrent.segmented_scan", spy)
    for segment in (T - 1, T, T + 5, None):
        RNN(ElmanCell(H), segment=segment)(X)
    assert calls == [T - 1]


@pytest.mark.parametrize("segment", [3, None])
def test_the_segment_is_saved_and_loaded(tmp_path, segment):
    model = keras.Sequential([keras.Input((T, F)), RNN(ElmanCell(H), segment=segment)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].segment == segment
    np.testing.assert_array_equal(loaded(X), model(X))


@pytest.mark.parametrize("segment", [0, -3, 2.5, True, "3"])
def test_a_segment_is_an_integer_of_at_least_1(segment):
    with pytest.raises(ArgumentError, match="segment: expected an integer of at least 1"):
        RNN(ElmanCell(H), segment=segment)
