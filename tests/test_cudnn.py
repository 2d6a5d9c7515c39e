import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow.rnn import _standardize_cudnn_weights
from recurrence import LOOP

from rnnexp import activations, cudnn
from rnnexp.fused import fused_scan

T, B, H = 6, 3, 4


def test_weights_are_laid_out_as_keras_does_for_its_own_cells():
    kernel = np.random.default_rng(0).standard_normal((H, H))
    expected = _standardize_cudnn_weights(
        [tf.constant(kernel)], [tf.zeros(H, "float64")] * 2, tf.constant([-1]), transpose_weights=True
    )
    np.testing.assert_array_equal(cudnn._params(tf.constant(kernel)), expected)


@pytest.mark.parametrize(
    ("surplus", "said"), [(0, None), (H * H, "asks for 40 weights where 24 were expected")]
)
def test_a_size_that_cudnn_does_not_ask_for_is_found(monkeypatch, surplus, said):
    asked = []

    def size(**attributes):
        asked.append(attributes)
        return tf.constant([H * H + 2 * H + surplus])

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNParamsSize", size)
    found = cudnn.misfit("relu", H, "float64")
    assert found == (said and f"cuDNN {said}")
    assert asked[0]["rnn_mode"] == "rnn_relu"
    assert asked[0]["T"] == tf.float64


def traced(name, dtype, steps=T, batch_size=B):
    """The graph of a forward and a backward pass through TensorFlow's own ops, which only a GPU can run."""

    def passes(projected, kernel, initial_state, direct, last):
        sources = [projected, kernel, initial_state, tf.zeros(tf.shape(projected)[:1], tf.float64)]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            result = fused_scan(projected, kernel, initial_state, activations.by_name(name), tap=sources[3])
            loss = tf.reduce_sum(direct * result.states) + tf.reduce_sum(last * result.last)
        return result.states, result.last, *tape.gradient(loss, sources)

    sequence, state = (steps, batch_size, H), (batch_size, H)
    specs = [tf.TensorSpec(shape, dtype) for shape in (sequence, (H, H), state, sequence, state)]
    return tf.function(passes).get_concrete_function(*specs)


def op_forward(*, input, input_h, params, sequence_lengths, rnn_mode, input_mode, **other):
    """What the op is documented to do, for one layer, by plain loops."""
    assert (input_mode, other.keys()) == ("skip_input", {"input_c"})
    np.testing.assert_array_equal(sequence_lengths, [T] * B)
    np.testing.assert_array_equal(params[H * H :], np.zeros(2 * H))
    kernel = tf.transpose(tf.reshape(params[: H * H], (H, H)))
    states, (*_, pre_activations) = LOOP.forward(input, kernel, input_h[0], rnn_mode.removeprefix("rnn_"))
    reserve = tf.reshape(tf.stack(pre_activations), [-1])
    return states, states[-1:], tf.zeros(0), reserve, tf.constant([7], tf.int8)


def op_backward(*, params, rnn_mode, output_backprop, output_h_backprop, reserve_space, **other):
    np.testing.assert_array_equal(other["host_reserved"], [7])
    again, last, *_ = op_forward(
        params=params,
        rnn_mode=rnn_mode,
        **{name: other[name] for name in ("input", "input_h", "input_c", "sequence_lengths", "input_mode")},
    )
    np.testing.assert_array_equal(other["output"], again)
    np.testing.assert_array_equal(other["output_h"], last)
    kernel = tf.transpose(tf.reshape(params[: H * H], (H, H)))
    pre_activations = tf.unstack(tf.reshape(reserve_space, (T, B, H)))
    kept = rnn_mode.removeprefix("rnn_"), kernel, pre_activations
    return LOOP.backward(kept, output_backprop, output_h_backprop[0]), None, None, None


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_around_ops_that_do_as_documented_the_kernel_is_the_recurrence(monkeypatch, name):
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", op_forward)
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNBackpropV3", op_backward)
    normal = np.random.default_rng(1).standard_normal
    shapes = (T, B, H), (H, H), (B, H), (T, B, H), (B, H)
    projected, kernel, initial_state, direct, last = (tf.constant(normal(shape)) for shape in shapes)
    states, kept = cudnn.KERNEL.forward(projected, kernel, initial_state, name)
    expected, kept_by_loop = LOOP.forward(projected, kernel, initial_state, name)
    np.testing.assert_allclose(states, expected, rtol=1e-12)
    deltas = cudnn.KERNEL.backward(kept, direct, last)
    np.testing.assert_allclose(deltas, LOOP.backward(kept_by_loop, direct, last), rtol=1e-12)


def only(graph, kind):
    (op,) = [op for op in graph.get_operations() if op.type == kind]
    return op


@pytest.mark.parametrize("name", ["tanh", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensorflow_accepts_the_ops_and_infers_their_shapes(name, dtype):
    function = traced(name, dtype)
    shapes = [tuple(output.shape) for output in function.outputs]
    assert shapes == [(T, B, H), (B, H), (T, B, H), (H, H), (B, H), (T,)]
    assert [output.dtype.name for output in function.outputs] == [dtype] * 5 + ["float64"]
    for kind in ("CudnnRNNV3", "CudnnRNNBackpropV3"):
        op = only(function.graph, kind)
        assert op.get_attr("rnn_mode").decode() == f"rnn_{name}"
        assert op.get_attr("input_mode").decode() == "skip_input"
        assert op.get_attr("direction").decode() == "unidirectional"
        assert op.get_attr("time_major")
        assert op.get_attr("dropout") == 0
    assert only(function.graph, "CudnnRNNV3").get_attr("is_training")


def test_sizes_may_be_unknown_to_the_graph():
    function = traced("tanh", "float32", None, None)
    shapes = [tuple(output.shape) for output in function.outputs]
    assert shapes == [(None, None, H), (None, H), (None, None, H), (H, H), (None, H), (None,)]


def test_the_backward_op_takes_what_the_forward_op_took_and_gave():
    graph = traced("tanh", "float32").graph
    there, back = (only(graph, kind) for kind in ("CudnnRNNV3", "CudnnRNNBackpropV3"))

    def origin(tensor):
        """What an identity, a check of shape or a capture stands for."""
        while tensor.op.type in ("Identity", "EnsureShape"):
            tensor = tensor.op.inputs[0]
        return tensor.name

    named = dict(zip([arg.name for arg in back.op_def.input_arg], back.inputs, strict=True))
    inputs = dict(zip([arg.name for arg in there.op_def.input_arg], there.inputs, strict=True))
    outputs = dict(zip([arg.name for arg in there.op_def.output_arg], there.outputs, strict=True))
    for name in ("input", "input_h", "params", "sequence_lengths"):
        assert origin(named[name]) == origin(inputs[name])
    for name, output in {
        "output": "output",
        "output_h": "output_h",
        "output_c": "output_c",
        "reserve_space": "reserve_space",
        "host_reserved": "host_reserved",
    }.items():
        assert origin(named[name]) == origin(outputs[output])
    assert named["output_backprop"].shape == (T, B, H)
    assert named["output_h_backprop"].shape == (1, B, H)
