import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrence import LOOP, forward

from rnnexp import activations, fused, tasks
from rnnexp.cells import ElmanCell
from rnnexp.clipping import NoClip
from rnnexp.fused import fused_scan
from rnnexp.network import build_network
from rnnexp.recurrent import RNN
from rnnexp.scan import scan
from rnnexp.training import RecordingModel
from rnnexp.training_data import stacked

T, B, F, H = 6, 3, 2, 4
TAPS = {None: None, "total": (T,), "per_sample": (T, B)}
TANH, RELU = activations.by_name("tanh"), activations.by_name("relu")
P = tf.TensorSpec((T, B, H), tf.float32)


def differentiated(run, name, dtype="float64", *, return_states=True, tap=None, where=(), value=0.0):
    """Everything that a scan returns, and its gradients by everything that it takes."""
    normal = np.random.default_rng(0).standard_normal
    shapes = [(T, B, H), (H, H), (B, H), (T, B, H), (B, H)]
    arrays = [normal(shape) / (2 if shape == (H, H) else 1) for shape in shapes]
    arrays[0][where] += value
    *sources, direct, last = (tf.constant(array, dtype) for array in arrays)
    taps = [] if tap is None else [tf.zeros(TAPS[tap], tf.float64)]
    with tf.GradientTape() as tape:
        tape.watch([*sources, *taps])
        options = {"return_states": return_states, "tap": taps[0] if taps else None}
        result = run(*sources, activations.by_name(name), **options)
        loss = tf.reduce_sum(last * result.last)
        if return_states:
            loss += tf.reduce_sum(direct * result.states)
    assert (result.states is not None) == return_states
    outputs = [result.last] if result.states is None else [result.last, result.states]
    return [*outputs, *tape.gradient(loss, [*sources, *taps])]


def with_loop(**changes):
    return functools.partial(fused_scan, kernel=LOOP._replace(**changes))


def assert_equal(got, expected, rtol):
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("name", ["tanh", "relu"])
@pytest.mark.parametrize("return_states", [True, False])
@pytest.mark.parametrize("tap", TAPS)
def test_around_any_kernel_equals_the_scan(mode, name, return_states, tap):
    options = {"return_states": return_states, "tap": tap}
    ours = functools.partial(differentiated, with_loop(), name, **options)
    got = tf.function(ours)() if mode == "graph" else ours()
    assert_equal(got, differentiated(scan, name, **options), rtol=1e-9)


@pytest.mark.parametrize("tap", ["total", "per_sample"])
def test_float32_norms_equal_those_of_the_scan(tap):
    got = differentiated(with_loop(), "tanh", "float32", tap=tap)
    assert_equal(got, differentiated(scan, "tanh", "float32", tap=tap), rtol=1e-5)


@pytest.mark.parametrize("tap", ["total", "per_sample"])
def test_an_exact_zero_is_minus_infinity(tap):
    dead = {"return_states": False, "tap": tap, "where": slice(None), "value": -1e3}
    *_, ours = differentiated(with_loop(), "relu", **dead)
    *_, theirs = differentiated(scan, "relu", **dead)
    assert np.isneginf(ours[:-1]).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


GPU = [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")]


@pytest.fixture
def gpu(monkeypatch):
    """Make this machine look like one with a GPU whose kernel has passed its trial."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: GPU)
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    monkeypatch.setattr(fused, "_trial", lambda *arguments: None)


def relu(a):
    return 0.1 * a * a


@pytest.mark.parametrize(
    ("activation", "shape", "dtype", "expected"),
    [
        (TANH, (T, B, H), "float32", None),
        (RELU, (T, B, H), "float32", None),
        (TANH, (T, B, H), "float64", None),
        (TANH, (None, None, H), "float32", None),
        (activations.by_name("linear"), (T, B, H), "float32", "the activation is neither tanh nor relu"),
        (activations.by_name("sigmoid"), (T, B, H), "float32", "the activation is neither tanh nor relu"),
        (relu, (T, B, H), "float32", "the activation is neither tanh nor relu"),
        (functools.partial(TANH), (T, B, H), "float32", "the activation is neither tanh nor relu"),
        (TANH, (T, B, H), "float16", "the type is float16, neither float32 nor float64"),
        (TANH, (T, B, H), "bfloat16", "the type is bfloat16, neither float32 nor float64"),
        (TANH, (0, B, H), "float32", "there are no steps or no samples"),
        (TANH, (T, 0, H), "float32", "there are no steps or no samples"),
    ],
)
def test_on_a_gpu_the_kernel_is_taken_for_what_it_knows(gpu, activation, shape, dtype, expected):
    assert fused.obstacle(activation, tf.TensorSpec(shape, dtype)) == expected


def test_without_a_gpu_the_scan_is_taken(gpu, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    assert fused.obstacle(TANH, P) == "TensorFlow sees no GPU"


def test_a_gpu_without_cuda_has_no_such_kernel(gpu, monkeypatch):
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: False)
    assert fused.obstacle(TANH, P) == "TensorFlow is built without CUDA"


def obstacle_inside(**options):
    """What a graph of these options is told while it is traced."""
    told = []

    @tf.function(**options)
    def graph(x):
        told.append(fused.obstacle(TANH, P))
        return x

    return graph, told


XLA = "the graph is compiled by XLA"


@pytest.mark.parametrize(("jit_compile", "expected"), [(True, XLA), (False, None), (None, None)])
def test_a_graph_knows_whether_xla_compiles_it(gpu, jit_compile, expected):
    graph, told = obstacle_inside(jit_compile=jit_compile)
    graph(0.0)
    assert told == [expected]


@pytest.mark.parametrize(("jit_compile", "expected"), [(True, XLA), (False, None)])
def test_a_graph_within_a_graph_and_within_a_loop_knows_it_too(gpu, jit_compile, expected):
    inner, told = obstacle_inside()

    @tf.function(jit_compile=jit_compile)
    def outer(x):
        return tf.while_loop(lambda i, _: i < 2, lambda i, x: (i + 1, inner(x)), (0, x))

    outer(tf.constant(0.0))
    assert told == [expected]


@pytest.fixture
def calls(gpu, monkeypatch):
    """The names of the activations that the fused path is called with; a loop runs them."""
    called = []

    def counted(*arguments):
        called.append(arguments[-1])
        return forward(*arguments)

    monkeypatch.setattr(fused, "fused_scan", with_loop(forward=counted))
    return called


@pytest.mark.parametrize(("name", "expected"), [("tanh", ["tanh"]), ("relu", ["relu"]), ("gelu", [])])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_the_layer_chooses_by_itself(calls, monkeypatch, name, expected, return_sequences):
    layer = RNN(
        ElmanCell(H, activation=name, dtype="float64"), dtype="float64", return_sequences=return_sequences
    )
    x = np.random.default_rng(0).standard_normal((B, T, F))
    on_gpu = layer(x)
    assert calls == expected
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    np.testing.assert_allclose(on_gpu, layer(x), rtol=1e-12)
    assert calls == expected


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_training_takes_the_kernel_unless_xla_compiles_it(calls, monkeypatch, jit_compile, shards):
    task = tasks.Adding(T)
    block = stacked([task.batch(0, "train", 0, 4)], 1, "float32")

    def one_step():
        keras.utils.set_random_seed(0)
        model = RecordingModel(
            build_network(task, ElmanCell(H), seed=0), task.loss, NoClip(), steps=T, rows=1, shards=shards
        )
        model.compile(optimizer="sgd", jit_compile=jit_compile)
        calls.clear()
        model.fit(tf.data.Dataset.from_tensors(block), verbose=0, shuffle=False)
        return model.read(0), len(calls)

    on_gpu, taken = one_step()
    assert (taken > 0) == (not jit_compile)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    scanned, taken = one_step()
    assert taken == 0
    np.testing.assert_allclose(on_gpu.log_norms, scanned.log_norms, rtol=1e-5)
    np.testing.assert_allclose(on_gpu.scalars, scanned.scalars, rtol=1e-5)


on_a_gpu = pytest.mark.skipif(not tf.config.get_visible_devices("GPU"), reason="needs a GPU")


@pytest.fixture
def full_float32():
    allowed = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


@on_a_gpu
@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["tanh", "relu"])
@pytest.mark.parametrize("return_states", [True, False])
@pytest.mark.parametrize("tap", TAPS)
def test_cudnn_equals_the_scan(full_float32, mode, dtype, name, return_states, tap):
    assert fused.obstacle(activations.by_name(name), tf.TensorSpec((T, B, H), dtype)) is None
    options = {"return_states": return_states, "tap": tap}
    ours = functools.partial(differentiated, fused_scan, name, dtype, **options)
    got = tf.function(ours)() if mode == "graph" else ours()
    rtol = {"float32": 1e-5, "float64": 1e-9}[dtype]
    assert_equal(got, differentiated(scan, name, dtype, **options), rtol)


@on_a_gpu
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_cudnn_does_not_hide_what_is_not_finite(name):
    states = differentiated(fused_scan, name, where=(2, 1, 0), value=np.nan)[1].numpy()
    assert np.isnan(states[2, 1, 0])
    assert np.isnan(states[3:, 1]).all()
